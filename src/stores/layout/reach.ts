import { collectVerified, LimitExceededError } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { childrenOf, parseManifest } from '../../oci/manifest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import type { CallOptions, Source } from '../../store.ts';

/**
 * Whether `digest` is one of `roots` or below them. Where the roots lead to more manifests than are followed, the answer is yes:
 * it decides what may be removed.
 */
export async function leadsTo(
  source: Source,
  roots: readonly Descriptor[],
  digest: Digest,
  options?: CallOptions,
): Promise<boolean> {
  const seen = new Set<Digest>();
  const queue = [...roots];
  // The queue grows while it is walked.
  for (const node of queue) {
    if (node.digest === digest) return true;
    if (!isManifestType(node.mediaType) || seen.has(node.digest)) continue;
    if (seen.size >= LIMITS.descriptors) return true;
    seen.add(node.digest);
    for (const child of await childrenIn(source, node, options)) {
      if (child.digest === digest) return true;
      if (isManifestType(child.mediaType)) queue.push(child);
    }
  }
  return false;
}

/**
 * Every node of `roots` and below, parents before children. What a damaged manifest leads to is not known, and not in it.
 *
 * @throws {LimitExceededError} when there are more manifests than are followed.
 */
export async function reachableFrom(
  source: Source,
  roots: readonly Descriptor[],
  options?: CallOptions,
): Promise<ReadonlySet<Digest>> {
  const found = new Set(roots.map(({ digest }) => digest));
  const queue = [...roots];
  const seen = new Set<Digest>();
  // The queue grows while it is walked.
  for (const node of queue) {
    if (!isManifestType(node.mediaType) || seen.has(node.digest)) continue;
    if (seen.size >= LIMITS.storeManifests)
      throw new LimitExceededError(
        `Cannot follow more than ${LIMITS.storeManifests} manifests in ${JSON.stringify(source.place)}`,
      );
    seen.add(node.digest);
    for (const child of await childrenIn(source, node, options)) {
      found.add(child.digest);
      if (isManifestType(child.mediaType)) queue.push(child);
    }
  }
  return found;
}

/** Nothing for a manifest that is absent, damaged or none: nobody can pull what it names. */
async function childrenIn(
  source: Source,
  node: Descriptor,
  options?: CallOptions,
): Promise<readonly Descriptor[]> {
  try {
    return childrenOf(
      parseManifest(
        await collectVerified(source.fetch(node, options), node, LIMITS.manifestBytes),
        node.mediaType,
      ),
    );
  } catch (error) {
    if (error instanceof RegiError && BROKEN.has(error.code)) return [];
    throw error;
  }
}

const BROKEN: ReadonlySet<string> = new Set([
  'NOT_FOUND',
  'CONTENT_MISMATCH',
  'INVALID_MANIFEST',
  'INVALID_DIGEST',
  'LIMIT_EXCEEDED',
  'UNSUPPORTED',
]);
