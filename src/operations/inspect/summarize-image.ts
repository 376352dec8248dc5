import { RegiError, UNREADABLE } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { childrenOf, isAttestation, shownTypeOf, type Manifest } from '../../oci/manifest.ts';
import { isImageConfigType, isIndexType, isManifestType } from '../../oci/media-types.ts';
import { formatPlatform } from '../../oci/platform.ts';
import type { CallOptions, Source } from '../../store.ts';
import { readImageConfig, readManifest } from '../copy/read-manifest.ts';

/** The summary of an image in a list. */
export interface ImageSummary {
  /** The image id of docker: the digest of the config; for an index, its own digest. */
  readonly id: Digest;
  /** For an index, that of its first image in the store. */
  readonly created: string | undefined;
  /** Content in the store, compressed, each blob once. Bytes. */
  readonly size: number;
  /** Undefined for an index and for an artifact. */
  readonly platform: string | undefined;
  /** Those of the images that are in the store, each once. */
  readonly platforms: readonly string[];
  /** For an index, those of its first image in the store. */
  readonly labels: Readonly<Record<string, string>>;
  /** What it is, if it is no image, such as `application/spdx+json`. */
  readonly artifactType: string | undefined;
  /** The reason why it cannot be shown; then only id and size are meaningful. */
  readonly problem: string | undefined;
}

/**
 * Reads the manifests and the config of an image, and nothing else. Reports damage as `problem`, so
 * that a list shows the other images.
 */
export async function summarizeImage(
  source: Source,
  root: Descriptor,
  options: CallOptions = {},
): Promise<ImageSummary> {
  try {
    const nodes = new Map<Digest, number>();
    const listed = new Set<string>();
    const first = await walk(source, root, { sizes: nodes, platforms: listed }, options, 0);
    const config =
      first?.manifest.kind === 'image'
        ? await readImageConfig(source, first.manifest, options)
        : undefined;
    const isOne = first?.digest === root.digest;
    const own = config?.platform === undefined ? undefined : formatPlatform(config.platform);
    return {
      id: isOne && first.manifest.kind === 'image' ? first.manifest.config.digest : root.digest,
      created: config?.created,
      size: [...nodes.values()].reduce((sum, size) => sum + size, 0),
      platform: isOne ? own : undefined,
      platforms: listed.size > 0 || own === undefined ? [...listed] : [own],
      labels: config?.labels ?? {},
      artifactType:
        first === undefined || isRunnable(first)
          ? undefined
          : (shownTypeOf(first.manifest) ?? first.manifest.mediaType),
      problem: undefined,
    };
  } catch (error) {
    if (!(error instanceof RegiError) || !UNREADABLE.has(error.code)) throw error;
    return {
      id: root.digest,
      created: undefined,
      size: root.size,
      platform: undefined,
      platforms: [],
      labels: {},
      artifactType: undefined,
      problem: error.message,
    };
  }
}

interface FoundImage {
  readonly manifest: Manifest;
  readonly digest: Digest;
}

/** Collects what a walk meets. */
interface FoundNodes {
  readonly sizes: Map<Digest, number>;
  /** As the indexes name them. */
  readonly platforms: Set<string>;
}

/**
 * Adds up the nodes of an image that are in the store, and returns its first image; without one,
 * its first artifact.
 */
async function walk(
  source: Source,
  node: Descriptor,
  found: FoundNodes,
  options: CallOptions,
  depth: number,
): Promise<FoundImage | undefined> {
  options.signal?.throwIfAborted();
  const { sizes, platforms } = found;
  if (sizes.has(node.digest) || depth > LIMITS.indexDepth) return undefined;
  sizes.set(node.digest, node.size);
  const { manifest } = await readManifest(source, node, options);
  let first: FoundImage | undefined =
    // Everything but an index is an image or an artifact.
    isIndexType(manifest.mediaType) ? undefined : { manifest, digest: node.digest };
  for (const child of childrenOf(manifest)) {
    if (!isManifestType(child.mediaType)) sizes.set(child.digest, child.size);
    // An index may list platforms that the store lacks.
    else if (await source.exists(child, options)) {
      const below = await walk(source, child, found, options, depth + 1);
      if (isAttestation(child)) continue;
      if (child.platform !== undefined && !isIndexType(child.mediaType))
        platforms.add(formatPlatform(child.platform));
      if (first === undefined || (!isRunnable(first) && below && isRunnable(below))) first = below;
    }
  }
  return first;
}

function isRunnable({ manifest }: FoundImage): boolean {
  return manifest.kind === 'image' && isImageConfigType(manifest.config.mediaType);
}
