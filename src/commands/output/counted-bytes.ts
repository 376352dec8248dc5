import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes, Source } from '../../store.ts';

/** The destination in events of bytes that go to no store. */
export const HERE = '';

/** Reports the same progress as a copy while the bytes are read. */
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

/**
 * Like counted(), and also emits 'read' when reading ends. For content that is not stored anywhere.
 */
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

/**
 * Reports progress while layers of a source are read. Manifests and configs are too small for it.
 */
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
