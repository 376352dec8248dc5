import type { Descriptor } from '../../oci/descriptor.ts';
import { quote } from '../../quote.ts';
import type { CopyEvent } from './events.ts';

type Warning = Extract<CopyEvent, { readonly kind: 'warning' }>;

/** Emitted once for all foreign layers that are left out. */
export const FOREIGN_WARNING: Warning = {
  kind: 'warning',
  message: 'Foreign layers are not copied: they stay at their own URLs',
  hint: 'regi copy, push, export and import carry them with --foreign-layers copy',
};

/** Says that a node has another size than its descriptor. */
export function otherSizeWarning({ digest, size }: Descriptor, real: number): Warning {
  return {
    kind: 'warning',
    message: `${digest} has ${real} bytes, where its descriptor states ${size}; its digest is right`,
    hint: 'docker before 18.09 wrote such indexes; nothing is changed',
  };
}

/** Says that a manifest was copied which regi cannot read. */
export function unknownTypeWarning({ digest, mediaType }: Descriptor): Warning {
  return {
    kind: 'warning',
    message: `${digest} is a manifest of the unknown type ${quote(mediaType)}: it was copied unchanged, with the content that it lists as config, layers or blobs`,
  };
}
