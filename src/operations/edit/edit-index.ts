import { RegiError } from '../../errors.ts';
import { type Descriptor, toDescriptorJson } from '../../oci/descriptor.ts';
import {
  attestedDigest,
  isAttestation,
  artifactTypeOf,
  type ImageIndex,
} from '../../oci/manifest.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { formatPlatform, normalizePlatform } from '../../oci/platform.ts';
import type { CallOptions, Source } from '../../store.ts';
import { platformOfImage } from '../copy/choose-platform.ts';
import { indexJson, type ManifestNode, readManifest } from '../copy/read-manifest.ts';
import { jsonNode, type MemoryNode } from './memory-source.ts';

/**
 * Composes an index. Its type is docker's if all entries are docker's, so that readers need not
 * know OCI; else OCI's.
 *
 * @throws {RegiError} ALREADY_EXISTS when two entries have one platform.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 */
export function newIndex(
  entries: readonly Descriptor[],
  annotations: Readonly<Record<string, string>>,
): MemoryNode {
  const manifests = distinct(entries);
  refuseSamePlatform(manifests);
  const isDocker =
    Object.keys(annotations).length === 0 &&
    manifests.every(({ mediaType }) => mediaType === MEDIA_TYPE.dockerManifest);
  const mediaType = isDocker ? MEDIA_TYPE.dockerManifestList : MEDIA_TYPE.ociIndex;
  return jsonNode(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: manifests.map(toDescriptorJson),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  });
}

/**
 * Adds entries to an index and keeps all its other members.
 *
 * @param replace removes an entry of the same platform, with its attestations.
 * @throws {RegiError} ALREADY_EXISTS when a platform is taken and `replace` is false.
 */
export function withEntries(
  index: ManifestNode,
  added: readonly Descriptor[],
  replace: boolean,
): MemoryNode {
  const before = indexOf(index).manifests;
  const fresh = added.filter(({ digest }) => !before.some((entry) => entry.digest === digest));
  const taken = replace
    ? before.filter((entry) => fresh.some((other) => isSamePlatform(entry, other)))
    : [];
  const gone = withAttestations(taken, before);
  refuseSamePlatform([...before.filter((entry) => !gone.has(entry)), ...fresh]);
  return edited(
    index,
    (json) => [...json.filter((_, at) => !isIn(gone, before[at])), ...fresh.map(toDescriptorJson)],
    fresh,
  );
}

/**
 * Removes entries and their attestations from an index and keeps all its other members.
 *
 * @throws {RegiError} USAGE when no entry would be left.
 */
export function withoutEntries(index: ManifestNode, removed: readonly Descriptor[]): MemoryNode {
  const before = indexOf(index).manifests;
  const gone = withAttestations(removed, before);
  if (gone.size === before.length) {
    throw new RegiError(
      'USAGE',
      'Cannot remove every entry of an index: an empty index is no image',
      {
        hint: 'delete the whole index: regi tags delete, or regi delete',
      },
    );
  }
  return edited(index, (json) => json.filter((_, at) => !isIn(gone, before[at])), []);
}

/** @throws {RegiError} USAGE when the manifest is no index. */
export function indexOf({ manifest, descriptor }: ManifestNode): ImageIndex {
  if (manifest.kind === 'index') return manifest;
  throw new RegiError(
    'USAGE',
    `Cannot change the entries of ${descriptor.digest}: expected an index, found an image of one platform`,
    {
      hint: 'create an index from it: regi index create REF IMAGE…',
    },
  );
}

/** Edits the JSON of the index, so that members unknown to regi survive. */
function edited(
  index: ManifestNode,
  edit: (json: readonly unknown[]) => readonly unknown[],
  added: readonly Descriptor[],
): MemoryNode {
  const { body, entries } = indexJson(index);
  // An index of docker's type lists no OCI manifests.
  const mediaType = added.every((entry) => entry.mediaType === MEDIA_TYPE.dockerManifest)
    ? index.manifest.mediaType
    : MEDIA_TYPE.ociIndex;
  return jsonNode(mediaType, {
    ...body,
    ...('mediaType' in body && { mediaType }),
    manifests: edit(entries),
  });
}

function withAttestations(
  entries: readonly Descriptor[],
  all: readonly Descriptor[],
): ReadonlySet<Descriptor> {
  const digests = new Set<string>(entries.map(({ digest }) => digest));
  return new Set(
    all.filter((entry) => digests.has(entry.digest) || digests.has(attestedDigest(entry) ?? '')),
  );
}

function refuseSamePlatform(entries: readonly Descriptor[]): void {
  for (const [at, entry] of entries.entries()) {
    const other = entries.slice(0, at).find((before) => isSamePlatform(before, entry));
    if (other === undefined || entry.platform === undefined) continue;
    throw new RegiError(
      'ALREADY_EXISTS',
      `Cannot list two images for "${formatPlatform(entry.platform)}": ${other.digest} and ${entry.digest}`,
      {
        hint: 'name only one of them; to replace an entry of an existing index: regi index add --replace',
      },
    );
  }
}

function isSamePlatform(a: Descriptor, b: Descriptor): boolean {
  if (
    a.platform === undefined ||
    b.platform === undefined ||
    isAttestation(a) ||
    isAttestation(b) ||
    a.platform.os === 'unknown'
  )
    return false;
  return (
    formatPlatform(normalizePlatform(a.platform)) === formatPlatform(normalizePlatform(b.platform))
  );
}

function distinct(entries: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(entries.map((entry) => [entry.digest, entry])).values()];
}

function isIn(set: ReadonlySet<Descriptor>, entry: Descriptor | undefined): boolean {
  return entry !== undefined && set.has(entry);
}

/**
 * Lists the entries that an index would have for an image: the image with its platform, or all
 * entries of an index.
 */
export async function indexEntries(
  source: Source,
  reference: string,
  options: CallOptions = {},
): Promise<readonly Descriptor[]> {
  const found = await source.resolve(reference, options);
  const { manifest, descriptor } = await readManifest(source, found, options);
  if (manifest.kind === 'index') return manifest.manifests;
  const platform = await platformOfImage(manifest, source, options);
  const { mediaType, digest, size } = descriptor;
  const artifactType =
    platform === undefined && mediaType === MEDIA_TYPE.ociManifest
      ? artifactTypeOf(manifest)
      : undefined;
  return [
    {
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
      ...(platform && { platform }),
    },
  ];
}
