import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { canOffer, type Store } from '../../store.ts';
import { decorate } from './decorate.ts';

/**
 * A store that is known to have some blobs: it is not asked for them, and they are not offered to it. What brings them may then be a
 * source that lacks them.
 */
export function knowing(store: Store, known: ReadonlySet<Digest>): Store {
  if (known.size === 0) return store;
  const has = ({ digest }: Descriptor): boolean => known.has(digest);
  return decorate(store, {
    exists: async (target, options) => has(target) || store.exists(target, options),
    offer: async (target, content, options) =>
      has(target) || !canOffer(store) ? 'there' : store.offer(target, content, options),
  });
}
