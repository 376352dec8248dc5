import { RegiError } from '../../errors.ts';
import { type Descriptor, toDescriptorJson } from '../../oci/descriptor.ts';
import { artifactTypeOf, type ImageIndex } from '../../oci/manifest.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { formatPlatform, normalizePlatform } from '../../oci/platform.ts';
import type { CallOptions, Source } from '../../store.ts';
import { isAttestation, platformOfImage } from '../copy/choose-platform.ts';
import { type ManifestNode, readManifest } from '../copy/read-manifest.ts';
import { madeJson, type MadeNode } from './memory-source.ts';

/**
 * Makes an index of entries. It is docker's kind where all of them are, for then nothing of OCI needs to be understood; else OCI's.
 *
 * @throws {PlatformTakenError}
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 */
export function newIndex(
  entries: readonly Descriptor[],
  annotations: Readonly<Record<string, string>>,
): MadeNode {
  const manifests = distinct(entries);
  refuseSamePlatform(manifests);
  const isDocker =
    Object.keys(annotations).length === 0 &&
    manifests.every(({ mediaType }) => mediaType === MEDIA_TYPE.dockerManifest);
  const mediaType = isDocker ? MEDIA_TYPE.dockerManifestList : MEDIA_TYPE.ociIndex;
  return madeJson(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: manifests.map(toDescriptorJson),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  });
}

/**
 * The index with more entries, and all that it says beside them.
 *
 * @param replace an entry of the same platform goes, with what attests it.
 * @throws {PlatformTakenError} without `replace`.
 */
export function withEntries(
  index: ManifestNode,
  added: readonly Descriptor[],
  replace: boolean,
): MadeNode {
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
 * The index without those entries and what attests them, and all that it says beside them.
 *
 * @throws {NothingLeftError} when those are all that it lists.
 */
export function withoutEntries(index: ManifestNode, removed: readonly Descriptor[]): MadeNode {
  const before = indexOf(index).manifests;
  const gone = withAttestations(removed, before);
  if (gone.size === before.length) {
    throw new RegiError(
      'USAGE',
      'Cannot remove every entry of an index: one that lists nothing is no image',
      {
        hint: 'delete it as a whole: regi tags delete, or regi delete',
      },
    );
  }
  return edited(index, (json) => json.filter((_, at) => !isIn(gone, before[at])), []);
}

/** @throws {NotAnIndexError} */
export function indexOf({ manifest, descriptor }: ManifestNode): ImageIndex {
  if (manifest.kind === 'index') return manifest;
  throw new RegiError(
    'USAGE',
    `Cannot change the entries of ${descriptor.digest}: expected an index, found an image of one platform`,
    {
      hint: 'make an index of it: regi index create REF IMAGE…',
    },
  );
}

/** Edits the JSON, so that members regi does not know stay in it. */
function edited(
  { bytes, manifest }: ManifestNode,
  edit: (json: readonly unknown[]) => readonly unknown[],
  added: readonly Descriptor[],
): MadeNode {
  const body = JSON.parse(new TextDecoder().decode(bytes)) as {
    readonly manifests: readonly unknown[];
  };
  // docker's kind of index lists no manifests of OCI.
  const mediaType = added.every((entry) => entry.mediaType === MEDIA_TYPE.dockerManifest)
    ? manifest.mediaType
    : MEDIA_TYPE.ociIndex;
  return madeJson(mediaType, {
    ...body,
    ...('mediaType' in body && { mediaType }),
    manifests: edit(body.manifests),
  });
}

function withAttestations(
  entries: readonly Descriptor[],
  all: readonly Descriptor[],
): ReadonlySet<Descriptor> {
  const digests = new Set<string>(entries.map(({ digest }) => digest));
  return new Set(
    all.filter(
      (entry) =>
        digests.has(entry.digest) ||
        (isAttestation(entry) &&
          digests.has(entry.annotations?.['vnd.docker.reference.digest'] ?? '')),
    ),
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
        hint: 'leave one of them out; of an index that is there, regi index add --replace takes its place',
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

/** What an index would list for an image: the image with its platform; of an index, all that it lists. */
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
