import type { Descriptor } from '../../oci/descriptor.ts';
import { parseImageConfig } from '../../oci/image-config.ts';
import { LIMITS } from '../../limits.ts';
import { isManifestType } from '../../oci/media-types.ts';
import type { CallOptions, Source } from '../../store.ts';
import { isAttestation } from '../copy/choose-platform.ts';
import { readConfig } from '../copy/read-for-host.ts';
import { readManifest } from '../copy/read-manifest.ts';

const ANNOTATION = 'org.opencontainers.image.created';

/**
 * When an image was made, as its annotation or config says; of an index the first image decides. Undefined where nothing says it.
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
    if (manifest.kind === 'image') {
      if (!/\.image(?:\.config)?\.v1\+json$/.test(manifest.config.mediaType)) return undefined;
      return parseImageConfig(await readConfig(source, manifest, options))?.created;
    }
    const child = manifest.manifests.find(
      (entry) => isManifestType(entry.mediaType) && !isAttestation(entry),
    );
    if (child === undefined) return undefined;
    node = child;
  }
  return undefined;
}
