import { RegiError } from '../../errors.ts';
import { isDigest } from '../../oci/digest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { isResponseError } from '../../registry/errors.ts';
import type { CallOptions, Store, TagLister } from '../../store.ts';
import { decorate } from '../decorators/decorate.ts';
import { NotInStoreError } from '../not-found.ts';

/** A destination of many images, with a probe in progress of whether its repository is new. */
export interface ProbedRepository {
  readonly store: Store;
  /** Stops the probe. Resolves when it has ended. */
  readonly close: () => Promise<void>;
}

/**
 * Probes once whether a registry has a repository. A new one lacks every tag and manifest until
 * this store pushes it, so no request is needed for each. Blobs are requested as usual, because
 * registries share them.
 *
 * Nothing waits for the response, because some registries read all tags for it. An unclear response
 * changes nothing.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export function probeNewRepository(
  store: Store & TagLister,
  { signal }: CallOptions = {},
): ProbedRepository {
  const leaving = new AbortController();
  const own = new Set<string>();
  let isNew = false;

  async function look(): Promise<void> {
    const either =
      signal === undefined ? leaving.signal : AbortSignal.any([leaving.signal, signal]);
    try {
      for await (const _tag of store.listTags({ signal: either })) return;
    } catch (error) {
      // Registries that do not list tags send 404 too, with another code or none.
      isNew =
        isResponseError(error, 'NOT_FOUND') &&
        error.problems.some(({ code }) => code === 'NAME_UNKNOWN');
      // Another failure happens again where it matters.
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
