import { collectVerified } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { isImageManifestType, isIndexType } from '../../oci/media-types.ts';
import type { CallOptions, Source } from '../../store.ts';
import { referrerOf, type Referrer } from '../referrer.ts';

/**
 * Reads a manifest as a referrer; undefined when it has no subject, is no manifest, or is not in the layout (a layout may lack
 * blobs that its indexes name).
 */
export async function readReferrer(
  source: Source,
  target: Descriptor,
  options?: CallOptions,
): Promise<Referrer | undefined> {
  const bytes = await readManifest(source, target, options);
  return bytes === undefined ? undefined : referrerOf(bytes, target);
}

/** The same where others must be shown or kept although this one is damaged: it refers to nothing that anybody could find. */
export async function readReferrerIfWhole(
  source: Source,
  target: Descriptor,
  options?: CallOptions,
): Promise<Referrer | undefined> {
  try {
    return await readReferrer(source, target, options);
  } catch (error) {
    if (
      error instanceof RegiError &&
      (error.code === 'CONTENT_MISMATCH' || error.code === 'LIMIT_EXCEEDED')
    )
      return undefined;
    throw error;
  }
}

/** Yields every referrer among `roots` and in the indexes below them, each once. */
export async function* walkReferrers(
  source: Source,
  roots: readonly Descriptor[],
  options?: CallOptions,
): AsyncIterable<Referrer> {
  const seen = new Set<Digest>();
  const queue = roots.map((descriptor) => ({ descriptor, depth: 0 }));
  // The queue grows while it is walked; both bounds keep a hostile index from making it grow for ever.
  for (const { descriptor, depth } of queue) {
    if (seen.has(descriptor.digest) || seen.size >= LIMITS.descriptors) continue;
    seen.add(descriptor.digest);
    const bytes = await readManifest(source, descriptor, options);
    if (bytes === undefined) continue;
    const referrer = referrerOf(bytes, descriptor);
    if (referrer !== undefined) yield referrer;
    if (
      isIndexType(descriptor.mediaType) &&
      depth < LIMITS.indexDepth &&
      queue.length < LIMITS.descriptors
    ) {
      queue.push(
        ...childrenIn(bytes, descriptor).map((child) => ({ descriptor: child, depth: depth + 1 })),
      );
    }
  }
}

async function readManifest(
  source: Source,
  target: Descriptor,
  options?: CallOptions,
): Promise<Uint8Array | undefined> {
  if (!isIndexType(target.mediaType) && !isImageManifestType(target.mediaType)) return undefined;
  try {
    return await collectVerified(source.fetch(target, options), target, LIMITS.manifestBytes);
  } catch (error) {
    if (error instanceof RegiError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function childrenIn(bytes: Uint8Array, { mediaType }: Descriptor): readonly Descriptor[] {
  try {
    const manifest = parseManifest(bytes, mediaType);
    return manifest.kind === 'index' ? manifest.manifests : [];
  } catch (error) {
    // An index that cannot be parsed leads to nothing; whoever asks for it by name is told why.
    if (error instanceof RegiError) return [];
    throw error;
  }
}
