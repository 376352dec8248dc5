import { collectVerified, LimitExceededError } from '../bytes.ts';
import { LIMITS } from '../limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-types.ts';
import type { CallOptions, Source } from '../store.ts';

/** Indexes in indexes. */
const MAX_INDEXES = 1000;

/** Manifests by their kind. Content that is no index counts as an image. */
export interface Manifests {
  readonly images: ReadonlySet<Digest>;
  readonly indexes: ReadonlySet<Digest>;
}

/**
 * Lists manifests, and all that the indexes among them lead to.
 *
 * @throws {RegiError} for an index that cannot be read.
 */
export async function manifestsIn(
  source: Source,
  manifests: readonly Descriptor[],
  options: CallOptions,
): Promise<Manifests> {
  const images = new Set<Digest>();
  const indexes = new Map<Digest, Descriptor>();
  const add = (node: Descriptor): void => {
    if (isIndexType(node.mediaType)) indexes.set(node.digest, node);
    else images.add(node.digest);
  };
  manifests.forEach(add);
  for (const node of indexes.values()) {
    if (indexes.size > MAX_INDEXES)
      throw new LimitExceededError(`Cannot verify the images of more than ${MAX_INDEXES} indexes`);
    const bytes = await collectVerified(source.fetch(node, options), node, LIMITS.manifestBytes);
    const parsed = parseManifest(bytes, node.mediaType);
    if (parsed.kind === 'index') parsed.manifests.forEach(add);
    else images.add(node.digest);
  }
  return { images, indexes: new Set(indexes.keys()) };
}
