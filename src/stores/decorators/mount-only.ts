import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { canMount, type Store } from '../../store.ts';
import { decorate } from './decorate.ts';

/** A blob that could come only as bytes. */
function mountRefusedError(blob: Descriptor, place: string): RegiError {
  return new RegiError(
    'REFUSED',
    `Cannot mount ${blob.digest} in ${place}: expected a mount, found that its bytes would have to be sent`,
    {
      hint: 'leave out --mount-only to send them',
    },
  );
}

/** A destination that takes blobs by mount and never as bytes. Manifests pass. */
export function mountOnly(store: Store): Store {
  return decorate(store, {
    async push(expected, content, options) {
      if (!isManifestType(expected.mediaType)) throw mountRefusedError(expected, store.place);
      await store.push(expected, content, options);
    },
    offer: undefined,
    async mount(target, from, _content, options) {
      const outcome = canMount(store)
        ? await store.mount(target, from, undefined, options)
        : 'refused';
      if (outcome === 'refused') throw mountRefusedError(target, store.place);
      return outcome;
    },
  });
}
