import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';

/** A layer that exists by name only. */
export function layer(name: string, size: number): Descriptor {
  return {
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    digest: digestOf(Buffer.from(name)),
    size,
  };
}

/** An image manifest that exists by name only. */
export function manifest(name: string): Descriptor {
  return { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf(Buffer.from(name)), size: 500 };
}
