import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { InvalidManifestError, type Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { attestedDigest, childrenOf, type Manifest } from '../../oci/manifest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import { indexJson, type ManifestNode, type ReadNode } from './read-manifest.ts';

/** An index with the indexes below it, at any depth. */
export interface IndexTree {
  readonly root: ManifestNode;
  /**
   * The entries of all levels that are no indexes, in the order of a reader who descends at once.
   * An entry without a platform has that of the index that lists it.
   */
  readonly entries: readonly Descriptor[];
  /** The indexes below the root. */
  readonly inner: ReadonlyMap<Digest, ManifestNode>;
}

/**
 * Reads the indexes below an index, each once. An inner index that is absent is left out: an
 * archive or a sparse copy need not carry all.
 *
 * @throws {InvalidManifestError} when indexes nest deeper, or list more, than any real image.
 */
export async function readIndexTree(root: ManifestNode, read: ReadNode): Promise<IndexTree> {
  const inner = new Map<Digest, ManifestNode>();
  const entries: Descriptor[] = [];
  const visit = async (
    node: ManifestNode,
    platform: Descriptor['platform'],
    depth: number,
  ): Promise<void> => {
    if (depth > LIMITS.indexDepth)
      throw tooLarge(root, `at most ${LIMITS.indexDepth} levels of indexes`);
    // The content of an artifact manifest, or of an unknown one, is no image.
    if (node.manifest.kind !== 'index' || !isIndexType(node.manifest.mediaType)) return;
    for (const listed of node.manifest.manifests) {
      const entry = platform === undefined ? listed : { platform, ...listed };
      if (!isIndexType(entry.mediaType)) entries.push(entry);
      else if (!inner.has(entry.digest)) {
        const below = await unlessAbsent(() => read(entry));
        if (below === undefined) continue;
        inner.set(entry.digest, below);
        await visit(below, entry.platform, depth + 1);
      }
      if (entries.length + inner.size > LIMITS.descriptors)
        throw tooLarge(root, `at most ${LIMITS.descriptors} entries in its indexes`);
    }
  };
  await visit(root, undefined, 0);
  return { root, entries, inner };
}

/** Returns the result, or undefined where the source proves that it lacks the node. */
export async function unlessAbsent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RegiError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** The manifests below a sparse index that are carried, by digest. */
export type Carried = ReadonlyMap<Digest, Descriptor>;

/**
 * Returns the kept images, their attestations, and the indexes that lead to them; the root
 * excluded.
 */
export function nodesLeadingTo(tree: IndexTree, images: ReadonlySet<string>): Carried {
  const found = new Map<Digest, Descriptor>();
  const visit = ({ manifest }: ManifestNode): boolean => {
    if (manifest.kind !== 'index') return false;
    const kept = manifest.manifests.filter((entry) => {
      const below = tree.inner.get(entry.digest);
      return below === undefined ? isKept(entry, images) : visit(below);
    });
    for (const entry of kept) found.set(entry.digest, entry);
    return kept.length > 0;
  };
  visit(tree.root);
  return found;
}

/** Lists the children of a manifest that are copied: of an index, the carried ones. */
export function carriedChildren(
  manifest: Manifest,
  carried: Carried | undefined,
): readonly Descriptor[] {
  const children = childrenOf(manifest);
  return carried === undefined || manifest.kind === 'image'
    ? children
    : children.filter(({ digest }) => carried.has(digest));
}

/**
 * Returns the entries, as JSON, of a smaller index of the kept images and their attestations. An
 * inner index of which all stays stands as it is; of any other, its entries take its place, because
 * no source holds it in part. Undefined when everything stays.
 */
export function narrowedEntries(
  tree: IndexTree,
  images: ReadonlySet<string>,
): readonly unknown[] | undefined {
  const isWhole = ({ manifest }: ManifestNode): boolean =>
    manifest.kind === 'index' &&
    manifest.manifests.every((entry) => {
      const below = tree.inner.get(entry.digest);
      return below === undefined ? isKept(entry, images) : isWhole(below);
    });
  const visit = (node: ManifestNode, platform: unknown): readonly unknown[] => {
    if (node.manifest.kind !== 'index') return [];
    const { entries } = indexJson(node);
    return node.manifest.manifests.flatMap((entry, at) => {
      const json = withPlatform(entries[at], platform);
      const below = tree.inner.get(entry.digest);
      if (below === undefined) return isKept(entry, images) ? [json] : [];
      return isWhole(below) ? [json] : visit(below, platformIn(json));
    });
  };
  return isWhole(tree.root) ? undefined : visit(tree.root, undefined);
}

function isKept(entry: Descriptor, images: ReadonlySet<string>): boolean {
  return images.has(attestedDigest(entry) ?? entry.digest);
}

function withPlatform(entry: unknown, platform: unknown): unknown {
  return platform === undefined || typeof entry !== 'object' || platformIn(entry) !== undefined
    ? entry
    : { ...entry, platform };
}

function platformIn(entry: unknown): unknown {
  return typeof entry === 'object' && entry !== null && 'platform' in entry
    ? entry.platform
    : undefined;
}

function tooLarge({ descriptor }: ManifestNode, most: string): InvalidManifestError {
  return new InvalidManifestError(`Cannot read the index ${descriptor.digest}: expected ${most}`);
}
