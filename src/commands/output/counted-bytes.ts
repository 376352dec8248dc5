import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes, Source } from '../../store.ts';

/** Where bytes go that go to no store, as events name it. */
export const HERE = '';

/** The same bytes, with progress like that of a copy. */
export function counted(
  content: Bytes,
  target: Descriptor,
  from: Pick<Source, 'repository'>,
  { onEvent }: Context,
): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      onEvent({ kind: 'started', target, from: from.repository, to: HERE });
      for await (const chunk of content) {
        onEvent({ kind: 'progress', target, bytes: chunk.byteLength, to: HERE });
        yield chunk;
      }
    },
  };
}

/** The same, and when no more is read that is told too. Of bytes that go nowhere else. */
function read(
  content: Bytes,
  target: Descriptor,
  from: Pick<Source, 'repository'>,
  context: Context,
): Bytes {
  const bytes = counted(content, target, from, context);
  return {
    async *[Symbol.asyncIterator]() {
      let failed = false;
      try {
        yield* bytes;
      } catch (error) {
        failed = true;
        throw error;
      } finally {
        if (!failed) context.onEvent({ kind: 'read', target, to: HERE });
      }
    },
  };
}

/** The same source, whose layers are shown as progress while they are read. Manifests and configs are there at once. */
export function countedSource(source: Source, context: Context): Source {
  return {
    place: source.place,
    repository: source.repository,
    resolve: (reference, options) => source.resolve(reference, options),
    exists: (target, options) => source.exists(target, options),
    fetch: (target, options) => {
      const content = source.fetch(target, options);
      return target.mediaType.endsWith('json') ? content : read(content, target, source, context);
    },
  };
}
