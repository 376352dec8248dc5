import { bytesOf } from '../../../src/bytes.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import type { Store } from '../../../src/store.ts';
import { makeImage, nodeOf, type TestImageManifest } from './images.ts';

/** A valid manifest with some members changed. Its digest is right; its content may not be. */
export function manifestNode(
  changes: Readonly<Record<string, unknown>>,
  mediaType: string = MEDIA_TYPE.ociManifest,
): ReturnType<typeof nodeOf> {
  const { config, layers } = makeImage();
  const honest = mediaType === MEDIA_TYPE.ociIndex ? { manifests: [] } : { config, layers };
  return nodeOf(
    mediaType,
    new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, mediaType, ...honest, ...changes }),
    ),
  );
}

/**
 * Pushes a manifest with the blobs of `makeImage()` into a store that does not check manifests, and
 * tags it.
 */
export async function pushHostile(
  store: Store,
  node: ReturnType<typeof nodeOf>,
  tag = 'v1',
  image: TestImageManifest = makeImage(),
): Promise<Descriptor> {
  await image.pushAll(store);
  await store.push(node.descriptor, bytesOf(node.bytes), { tag });
  return node.descriptor;
}
