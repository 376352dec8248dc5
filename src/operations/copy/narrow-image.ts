import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import { digestOf } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import type { CallOptions, Source } from '../../store.ts';
import {
  chooseEntry,
  isAttestation,
  platformOfImage,
  runnableEntries,
  type ReadNode,
} from './choose-platform.ts';
import type { ManifestNode } from './read-manifest.ts';

/**
 * Narrows an image to platforms. One platform of an index is its manifest; several are an index of those and of the
 * attestations about them, with everything else of the old index kept. An image of one platform stays as it is.
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
    const platform = await platformOfImage(manifest, source, options);
    if (platform !== undefined) for (const wanted of platforms) chooseEntry([{ platform }], wanted);
    return root;
  }
  const entries = await runnableEntries(manifest, read, source, options);
  const chosen = platforms.map((wanted) => chooseEntry(entries, wanted));
  const [only] = chosen;
  if (only !== undefined && platforms.length === 1) return read(only);
  return narrowIndex(root, new Set(chosen.map(({ digest }) => digest)));
}

/** Filters the index as JSON, so that members regi does not know stay in it. */
function narrowIndex(
  { bytes, descriptor, manifest }: ManifestNode,
  keep: ReadonlySet<string>,
): ManifestNode {
  const body = JSON.parse(new TextDecoder().decode(bytes)) as { manifests: unknown[] };
  const entries = manifest.kind === 'index' ? manifest.manifests : [];
  const stays = (entry: Descriptor): boolean =>
    keep.has(
      isAttestation(entry)
        ? (entry.annotations?.['vnd.docker.reference.digest'] ?? '')
        : entry.digest,
    );
  body.manifests = body.manifests.filter((_, position) => {
    const entry = entries[position];
    return entry !== undefined && stays(entry);
  });
  if (body.manifests.length === entries.length) return { bytes, descriptor, manifest };
  const narrowed = new TextEncoder().encode(JSON.stringify(body));
  return {
    bytes: narrowed,
    descriptor: {
      mediaType: manifest.mediaType,
      digest: digestOf(narrowed),
      size: narrowed.byteLength,
    },
    manifest: parseManifest(narrowed, manifest.mediaType),
  };
}
