import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { parseManifest, type ImageIndex } from '../../oci/manifest.ts';
import type { CallOptions, Source } from '../../store.ts';
import {
  attestedDigest,
  chooseEntry,
  requirePlatforms,
  runnableEntries,
  type ReadNode,
} from './choose-platform.ts';
import { indexJson, type ManifestNode } from './read-manifest.ts';

/**
 * Narrows an image to platforms. One platform of an index becomes its manifest. Several become an index of those and their
 * attestations, with all other members of the old index kept. An image of one platform stays as it is.
 *
 * @throws {PlatformNotFoundError} when a platform is missing.
 */
export async function narrowImage(
  root: ManifestNode,
  platforms: readonly Platform[],
  read: ReadNode,
  source: Source,
  options: CallOptions = {},
): Promise<ManifestNode> {
  const { manifest } = root;
  if (manifest.kind === 'image') {
    await requirePlatforms(manifest, platforms, source, options);
    return root;
  }
  const entries = await runnableEntries(manifest, read, source, options);
  const chosen = platforms.map((wanted) => chooseEntry(entries, wanted));
  const [only] = chosen;
  if (only !== undefined && platforms.length === 1) return read(only);
  return narrowIndex(root, manifest, new Set(chosen.map(({ digest }) => digest)));
}

function narrowIndex(
  root: ManifestNode,
  { manifests, mediaType }: ImageIndex,
  keep: ReadonlySet<string>,
): ManifestNode {
  const stays = (entry: Descriptor): boolean => keep.has(attestedDigest(entry) ?? entry.digest);
  if (manifests.every(stays)) return root;
  const { body, entries } = indexJson(root);
  const kept = manifests.flatMap((entry, at) => (stays(entry) ? [entries[at]] : []));
  const bytes = new TextEncoder().encode(JSON.stringify({ ...body, manifests: kept }));
  return {
    bytes,
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.byteLength },
    manifest: parseManifest(bytes, mediaType),
  };
}
