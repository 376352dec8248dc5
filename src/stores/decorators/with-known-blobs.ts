import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { canOffer, canProve, type Store } from '../../store.ts';
import { decorate } from './decorate.ts';

/**
 * Adds blobs that a store is known to have: it is not asked for them, and a copy to it may come
 * from a source that lacks them.
 */
export function withKnownBlobs(store: Store, known: ReadonlySet<Digest>): Store {
  if (known.size === 0) return store;
  const has = ({ digest }: Descriptor): boolean => known.has(digest);
  return decorate(store, {
    exists: async (target, options) => has(target) || store.exists(target, options),
    prove: async (target, options) =>
      has(target) ||
      (canProve(store) ? store.prove(target, options) : store.exists(target, options)),
    offer: async (target, content, options) =>
      has(target) || !canOffer(store) ? 'there' : store.offer(target, content, options),
  });
}
