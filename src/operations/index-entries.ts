import type { Descriptor } from '../oci/descriptor.ts';
import { artifactTypeOf } from '../oci/manifest.ts';
import { MEDIA_TYPE } from '../oci/media-types.ts';
import type { CallOptions, Source } from '../store.ts';
import { platformOfImage } from './choose-platform.ts';
import { readManifest } from './read-manifest.ts';

/** What an index would list for an image: the image with its platform; of an index, all that it lists. */
export async function indexEntries(source: Source, reference: string, options: CallOptions = {}): Promise<readonly Descriptor[]> {
  const found = await source.resolve(reference, options);
  const { manifest, descriptor } = await readManifest(source, found, options);
  if (manifest.kind === 'index') return manifest.manifests;
  const platform = await platformOfImage(manifest, source, options);
  const { mediaType, digest, size } = descriptor;
  const artifactType = platform === undefined && mediaType === MEDIA_TYPE.ociManifest ? artifactTypeOf(manifest) : undefined;
  return [{ mediaType, digest, size, ...(artifactType !== undefined && { artifactType }), ...(platform && { platform }) }];
}
