import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { toDescriptorJson, type Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, encodedOf, type Digest } from '../../oci/digest.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { formatReference } from '../../oci/reference.ts';
import { quote } from '../../quote.ts';
import type { ArchivePart, ArchivePlan } from '../../tar/archive-target.ts';
import { planTar } from '../../tar/plan-tar.ts';
import type { CollectedImage, ImageSet } from './collect-images.ts';
import { isDockerConfig, type DockerImage } from './docker-images.ts';

/**
 * `both`: an image layout and docker's manifest.json in one tar, for every reader. The others write
 * one of the two.
 */
export type ArchiveFormat = 'both' | 'oci' | 'docker';

export interface PlanOptions {
  /** The format of the archive. */
  readonly format: ArchiveFormat;
  /** The images of `manifest.json`; see `dockerImages()`. */
  readonly dockerImages: readonly DockerImage[];
  /**
   * Blobs that the reader has already. An archive that omits some has no manifest.json, because no
   * engine could load it.
   */
  readonly omit?: ReadonlySet<Digest> | undefined;
  /** Additional files, such as the record of omitted blobs. */
  readonly extra?: readonly { readonly name: string; readonly bytes: Uint8Array }[] | undefined;
}

const REF_NAME = 'org.opencontainers.image.ref.name';
const IMAGE_NAME = 'io.containerd.image.name';

/**
 * Plans every byte of an archive except the contents of its blobs. The same set gives the same
 * bytes.
 *
 * Small files come first, then manifests, then configs and layers: a reader of a pipe learns early
 * what it gets.
 *
 * @throws {RegiError} USAGE when two images have one name, index.json is too large, or docker's
 *   format has no image to hold.
 */
export function planArchive(set: ImageSet, options: PlanOptions): ArchivePlan {
  return planTar(
    options.format === 'docker' ? dockerParts(set, options) : layoutParts(set, options),
  );
}

function layoutParts(
  set: ImageSet,
  { format, dockerImages, omit = new Set(), extra = [] }: PlanOptions,
): readonly ArchivePart[] {
  const made = [
    json('oci-layout', { imageLayoutVersion: '1.0.0' }),
    json('index.json', {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: indexEntries(set.images),
    }),
    ...(format === 'both' && omit.size === 0 && dockerImages.length > 0
      ? [json('manifest.json', manifestJson(dockerImages, blobName))]
      : []),
    ...extra.map(({ name, bytes }) => part(name, bytes)),
  ];
  const [, index] = made;
  if (index !== undefined && index.size > LIMITS.manifestBytes) {
    throw new RegiError(
      'USAGE',
      `Cannot write the archive: expected an index.json of at most ${LIMITS.manifestBytes} bytes, found ${index.size}`,
      { hint: 'split the images over several archives' },
    );
  }
  const manifests = [...set.manifests.values()].map(({ descriptor, bytes }) =>
    part(blobName(descriptor), bytes, descriptor),
  );
  const blobs = [...set.blobs.values()]
    .filter(({ descriptor }) => !omit.has(descriptor.digest))
    .map(({ descriptor }) => node(blobName(descriptor), descriptor));
  return [...made, ...manifests, ...blobs];
}

/**
 * Docker's old format. Layers may be packed by gzip: docker, podman and skopeo look at their bytes,
 * not at their names.
 */
function dockerParts(set: ImageSet, { dockerImages }: PlanOptions): readonly ArchivePart[] {
  if (dockerImages.length === 0) {
    throw new RegiError(
      'USAGE',
      'Cannot write a docker archive: expected a runnable image, found none',
      { hint: 'use archive:FILE, which holds every kind of content' },
    );
  }
  const files = new Map<string, ArchivePart>();
  const nameOf = (descriptor: Descriptor): string =>
    isDockerConfig(descriptor)
      ? `${encodedOf(descriptor.digest)}.json`
      : `${encodedOf(descriptor.digest)}.tar${suffixOf(descriptor)}`;
  for (const { manifest } of dockerImages) {
    for (const descriptor of [manifest.config, ...manifest.layers]) {
      if (set.blobs.has(descriptor.digest))
        files.set(nameOf(descriptor), node(nameOf(descriptor), descriptor));
    }
  }
  return [json('manifest.json', manifestJson(dockerImages, nameOf)), ...files.values()];
}

function indexEntries(images: readonly CollectedImage[]): readonly unknown[] {
  const entries = new Map<string, Record<string, unknown>>();
  const uses = usesOfTags(images);
  for (const { job, root } of images) {
    const annotations = annotationsOf(job, uses);
    const { mediaType, digest, size } = root.descriptor;
    const key =
      annotations === undefined
        ? digest
        : (annotations[IMAGE_NAME] ?? `:${annotations[REF_NAME] ?? ''}`);
    const artifactType = root.manifest.artifactType;
    const known = entries.get(key);
    if (known !== undefined && known['digest'] !== digest) {
      throw new RegiError(
        'USAGE',
        `Cannot write two images with the name ${quote(job.image)}: ${String(known['digest'])} and ${digest}`,
        { hint: 'give one of them a different name' },
      );
    }
    entries.set(key, {
      ...toDescriptorJson({
        mediaType,
        digest,
        size,
        ...(artifactType !== undefined && { artifactType }),
      }),
      ...(annotations !== undefined && { annotations }),
    });
  }
  return [...entries.values()];
}

type Annotations = Readonly<Record<string, string>>;

/**
 * A tag used by two repositories is written in full: skopeo and regctl would silently take the
 * wrong image by the bare tag.
 */
function annotationsOf(
  { name, tag }: CollectedImage['job'],
  uses: ReadonlyMap<string, ReadonlySet<string>>,
): Annotations | undefined {
  if (name === undefined) return tag === undefined ? undefined : { [REF_NAME]: tag };
  const full = formatReference(name.tag === undefined ? name : { ...name, digest: undefined });
  if (name.tag === undefined) return { [IMAGE_NAME]: full };
  return { [IMAGE_NAME]: full, [REF_NAME]: (uses.get(name.tag)?.size ?? 0) > 1 ? full : name.tag };
}

function usesOfTags(images: readonly CollectedImage[]): ReadonlyMap<string, ReadonlySet<string>> {
  const uses = new Map<string, Set<string>>();
  for (const { job } of images) {
    const tag = job.name?.tag ?? (job.name === undefined ? job.tag : undefined);
    if (tag === undefined) continue;
    const repository = job.name === undefined ? '' : `${job.name.domain}/${job.name.path}`;
    uses.set(tag, (uses.get(tag) ?? new Set<string>()).add(repository));
  }
  return uses;
}

/** @see https://github.com/moby/moby/blob/v28.2.2/image/tarexport/tarexport.go */
function manifestJson(
  images: readonly DockerImage[],
  nameOf: (descriptor: Descriptor) => string,
): unknown {
  return images.map(({ manifest, repoTags }) => ({
    Config: nameOf(manifest.config),
    RepoTags: repoTags.length === 0 ? null : repoTags,
    Layers: manifest.layers.map(nameOf),
  }));
}

function blobName({ digest }: Descriptor): string {
  return `blobs/${algorithmOf(digest)}/${encodedOf(digest)}`;
}

function suffixOf({ mediaType }: Descriptor): string {
  if (mediaType.endsWith('gzip')) return '.gz';
  return mediaType.endsWith('zstd') ? '.zst' : '';
}

function json(name: string, value: unknown): ArchivePart {
  return part(name, new TextEncoder().encode(JSON.stringify(value)));
}

function part(name: string, bytes: Uint8Array, target?: Descriptor): ArchivePart {
  return { kind: 'made', name, size: bytes.byteLength, bytes, target };
}

function node(name: string, target: Descriptor): ArchivePart {
  return { kind: 'node', name, size: target.size, target };
}
