import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { canMount, type Store } from '../../store.ts';
import { decorate } from './decorate.ts';

/** The error for a blob that cannot be mounted. */
function mountRefusedError(blob: Descriptor, place: string): RegiError {
  return new RegiError(
    'REFUSED',
    `Cannot mount ${blob.digest} in ${place}: the registry would need its bytes`,
    {
      hint: 'leave out --mount-only to send them',
    },
  );
}

/** Makes a destination that accepts blobs only by mount. Manifests are pushed. */
export function mountOnly(store: Store): Store {
  return decorate(store, {
    async push(expected, content, options) {
      if (!isManifestType(expected.mediaType) && options?.asManifest !== true)
        throw mountRefusedError(expected, store.place);
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
