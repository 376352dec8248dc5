import { isAttestation } from '../../oci/manifest.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { LIMITS } from '../../limits.ts';
import { isManifestType } from '../../oci/media-types.ts';
import type { CallOptions, Source } from '../../store.ts';
import { readImageConfig, readManifest } from '../copy/read-manifest.ts';

const ANNOTATION = 'org.opencontainers.image.created';

/**
 * Reads when an image was made, from its annotation or config; for an index, from its first image.
 * Undefined where neither says.
 *
 * @throws {RegiError} when manifest or config cannot be read.
 */
export async function readCreated(
  source: Source,
  root: Descriptor,
  options: CallOptions = {},
): Promise<string | undefined> {
  let node = root;
  for (let depth = 0; depth <= LIMITS.indexDepth; depth += 1) {
    const { manifest } = await readManifest(source, node, options);
    const annotated = manifest.annotations[ANNOTATION];
    if (annotated !== undefined) return annotated;
    if (manifest.kind === 'image')
      return (await readImageConfig(source, manifest, options))?.created;
    const child = manifest.manifests.find(
      (entry) => isManifestType(entry.mediaType) && !isAttestation(entry),
    );
    if (child === undefined) return undefined;
    node = child;
  }
  return undefined;
}
