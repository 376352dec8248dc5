import { RegiError } from '../../errors.ts';
import { isDigest } from '../../oci/digest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { isResponseError } from '../../registry/errors.ts';
import type { CallOptions, Store, TagLister } from '../../store.ts';
import { decorate } from '../decorators/decorate.ts';
import { NotInStoreError } from '../not-found.ts';

/** A destination of many images, and the question whether its repository is new, which is under way. */
export interface PerhapsNew {
  readonly store: Store;
  /** Stops asking. Resolves when that has ended. */
  readonly close: () => Promise<void>;
}

/**
 * Asks once whether a registry has such a repository at all. When it has not, nobody has to ask for each tag and manifest: they are
 * not there until this store has pushed them. Blobs are asked for as ever.
 *
 * Nothing waits for the answer, because some registries read all tags for it; and an answer that leaves doubt changes nothing.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export function perhapsNew(store: Store & TagLister, { signal }: CallOptions = {}): PerhapsNew {
  const leaving = new AbortController();
  const own = new Set<string>();
  let isNew = false;

  async function look(): Promise<void> {
    const either =
      signal === undefined ? leaving.signal : AbortSignal.any([leaving.signal, signal]);
    try {
      for await (const _tag of store.listTags({ signal: either })) return;
    } catch (error) {
      // Of no repository that is there: a registry that does not list tags says 404 too, with another code or none.
      isNew =
        isResponseError(error, 'NOT_FOUND') &&
        error.problems.some(({ code }) => code === 'NAME_UNKNOWN');
      // Whatever else fails here fails again where it matters, or did not matter.
      if (!(error instanceof RegiError) && !either.aborted) throw error;
    }
  }

  const looked = look();
  // Thrown by close().
  looked.catch(() => undefined);
  const isAbsent = (name: string): boolean => isNew && !own.has(name);
  return {
    store: decorate(store, {
      resolve: async (reference, options) => {
        if (!isDigest(reference) && isAbsent(reference))
          throw new NotInStoreError(reference, store.repository, 'the repository is new');
        return store.resolve(reference, options);
      },
      exists: async (target, options) =>
        !(isManifestType(target.mediaType) && isAbsent(target.digest)) &&
        store.exists(target, options),
      push: async (expected, content, options) => {
        await store.push(expected, content, options);
        own.add(expected.digest);
        if (options?.tag !== undefined) own.add(options.tag);
      },
      tag: async (target, reference, options) => {
        await store.tag(target, reference, options);
        own.add(reference);
      },
    }),
    close: async () => {
      leaving.abort();
      await looked;
    },
  };
}
