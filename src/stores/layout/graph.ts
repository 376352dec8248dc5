import { collectProved, LimitExceededError } from '../../bytes.ts';
import { RegiError, UNREADABLE, type ErrorCode } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { childrenOf, parseManifest } from '../../oci/manifest.ts';
import { isIndexType, isManifestType } from '../../oci/media-types.ts';
import type { CallOptions, ReferrerOptions, Source } from '../../store.ts';
import { referrerOf, type Referrer } from '../referrer.ts';

/** Reads nodes of a layout or archive by their descriptors. */
export type Content = Pick<Source, 'fetch'>;

const MISSING: ReadonlySet<ErrorCode> = new Set(['NOT_FOUND']);
/**
 * Reads a manifest as a referrer; undefined when it has no subject, is no manifest, or is missing
 * (a layout may lack blobs that its indexes name).
 */
export async function readReferrer(
  content: Content,
  target: Descriptor,
  options?: CallOptions,
): Promise<Referrer | undefined> {
  const bytes = await readIfThere(content, target, options);
  return bytes && referrerOf(bytes, target);
}

/** Reads a manifest as a referrer; undefined also when it is damaged. */
export function readReferrerIfWhole(
  content: Content,
  target: Descriptor,
  options?: CallOptions,
): Promise<Referrer | undefined> {
  return unless(UNREADABLE, () => readReferrer(content, target, options));
}

/** Returns the digests of those nodes that refer to another image. */
export async function referrersAmong(
  content: Content,
  nodes: readonly Descriptor[],
  options?: CallOptions,
): Promise<ReadonlySet<unknown>> {
  const found = new Set<unknown>();
  for (const node of nodes)
    if ((await readReferrer(content, node, options)) !== undefined) found.add(node.digest);
  return found;
}

/** Yields the referrers of `target` among `roots` and in the indexes below them, each once. */
export async function* listReferrers(
  content: Content,
  roots: readonly Descriptor[],
  target: Descriptor,
  { signal, artifactType }: ReferrerOptions = {},
): AsyncIterable<Descriptor> {
  const seen = new Set<Digest>();
  const queue = roots.map((node) => ({ node, depth: 0 }));
  // The queue grows while it is walked. Both bounds end the walk of a hostile index.
  for (const { node, depth } of queue) {
    if (seen.has(node.digest) || seen.size >= LIMITS.descriptors) continue;
    seen.add(node.digest);
    const bytes = await readIfThere(content, node, { signal });
    if (bytes === undefined) continue;
    const referrer = referrerOf(bytes, node);
    if (
      referrer?.subject === target.digest &&
      (artifactType === undefined || referrer.descriptor.artifactType === artifactType)
    )
      yield referrer.descriptor;
    const isFollowed = depth < LIMITS.indexDepth && queue.length < LIMITS.descriptors;
    if (!isFollowed || !isIndexType(node.mediaType)) continue;
    const children = await childrenIn(node, async () => bytes);
    queue.push(...children.map((child) => ({ node: child, depth: depth + 1 })));
  }
}

/**
 * Returns whether `digest` is one of `roots` or below them. The result decides what may be removed:
 * it is true where the roots lead to more manifests than are followed.
 */
export async function leadsTo(
  content: Content,
  roots: readonly Descriptor[],
  digest: Digest,
  options?: CallOptions,
): Promise<boolean> {
  try {
    for await (const node of nodesBelow(content, roots, options))
      if (node.digest === digest) return true;
    return false;
  } catch (error) {
    if (error instanceof LimitExceededError) return true;
    throw error;
  }
}

/**
 * Returns every node of `roots` and below, parents before children. Nodes below a damaged manifest
 * are unknown, and missing.
 *
 * @throws {LimitExceededError} when there are more manifests than are followed.
 */
export async function reachableFrom(
  content: Content,
  roots: readonly Descriptor[],
  options?: CallOptions,
): Promise<ReadonlySet<Digest>> {
  const found = new Set<Digest>();
  for await (const { digest } of nodesBelow(content, roots, options)) found.add(digest);
  return found;
}

async function* nodesBelow(
  content: Content,
  roots: readonly Descriptor[],
  options?: CallOptions,
): AsyncGenerator<Descriptor> {
  yield* roots;
  const queue = [...roots];
  const seen = new Set<Digest>();
  // The queue grows while it is walked.
  for (const node of queue) {
    if (!isManifestType(node.mediaType) || seen.has(node.digest)) continue;
    if (seen.size >= LIMITS.storeManifests)
      throw new LimitExceededError(
        `Cannot follow the manifests of the layout: expected at most ${LIMITS.storeManifests}`,
      );
    seen.add(node.digest);
    const children = await childrenIn(node, () => readBytes(content, node, options));
    yield* children;
    queue.push(...children.filter(({ mediaType }) => isManifestType(mediaType)));
  }
}

/** Returns no children of a damaged manifest, because no client can pull them. */
async function childrenIn(
  { mediaType }: Descriptor,
  read: () => Promise<Uint8Array>,
): Promise<readonly Descriptor[]> {
  return (
    (await unless(UNREADABLE, async () => childrenOf(parseManifest(await read(), mediaType)))) ?? []
  );
}

async function readIfThere(
  content: Content,
  node: Descriptor,
  options?: CallOptions,
): Promise<Uint8Array | undefined> {
  if (!isManifestType(node.mediaType)) return undefined;
  return unless(MISSING, () => readBytes(content, node, options));
}

function readBytes(content: Content, node: Descriptor, options?: CallOptions): Promise<Uint8Array> {
  return collectProved(content.fetch(node, options), node, LIMITS.manifestBytes);
}

async function unless<T>(
  codes: ReadonlySet<ErrorCode>,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RegiError && codes.has(error.code)) return undefined;
    throw error;
  }
}
