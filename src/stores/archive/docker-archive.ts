import { createHash } from 'node:crypto';

import * as z from 'zod/mini';

import { chunksOf } from '../../disk/random-access.ts';
import { describeIssue, tryParseJson } from '../../json.ts';
import { LIMITS } from '../../limits.ts';
import { toDescriptorJson, type Descriptor } from '../../oci/descriptor.ts';
import { digestFrom, digestOf, isDigest, type Digest } from '../../oci/digest.ts';
import { parseImageConfig } from '../../oci/image-config.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { quote, quotePath } from '../../quote.ts';
import { formatReference, referenceIn, withDefaultTag } from '../../oci/reference.ts';
import type { CallOptions } from '../../store.ts';
import { compressionOf, MAGIC_BYTES, type Compression } from '../../tar/decompress.ts';
import type { TarEntry } from '../../tar/index-tar.ts';
import { memoryFile } from '../content.ts';
import {
  invalidArchive,
  missingMember,
  readMember,
  storedIn,
  type ArchiveContents,
  type OpenTar,
  type StoredContent,
} from './contents.ts';
import {
  EMPTY_INDEX,
  formatLayoutIndex,
  IMAGE_NAME,
  parseLayoutIndex,
  REF_NAME,
} from '../layout/index-json.ts';

export const DOCKER_MANIFEST = 'manifest.json';

const OCI_LAYER_TYPE = {
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

const LAYER_TYPE = {
  none: 'application/vnd.docker.image.rootfs.diff.tar',
  gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  zstd: OCI_LAYER_TYPE.zstd,
} as const satisfies Record<Exclude<Compression, 'bzip2' | 'xz'>, string>;

const manifestShape = z.array(
  z.object({
    Config: z.string(),
    RepoTags: z.optional(z.nullable(z.array(z.string()))),
    Layers: z.nullable(z.array(z.string())),
  }),
);

type DockerImage = z.infer<typeof manifestShape>[number];

/**
 * Reads the format of `docker save` before version 25. It holds no manifests: each image gets a
 * docker schema 2 manifest of its config and layers as they are stored, so the same archive gives
 * the same digest each time.
 *
 * The digest of an uncompressed layer is its diff_id in the config, which is proved when it is
 * read; others are hashed here.
 *
 * @throws {RegiError} INVALID_ARCHIVE when manifest.json is malformed, or names a file that the tar
 *   lacks.
 */
export async function readDockerContents(
  open: OpenTar,
  options: CallOptions = {},
): Promise<ArchiveContents> {
  const images = parseManifestJson(open, await readMember(open, DOCKER_MANIFEST, options));
  const contents = new Map<Digest, StoredContent>();
  const layers = new LayerReader(open, contents, options);
  const entries: unknown[] = [];
  for (const image of images) {
    const manifest = await makeManifest(open, image, layers, contents, options);
    const names = namesOf(image);
    for (const annotations of names.length === 0 ? [undefined] : names)
      entries.push({ ...toDescriptorJson(manifest), ...(annotations && { annotations }) });
  }
  const json = { ...EMPTY_INDEX.json, manifests: entries };
  const index = parseLayoutIndex(new TextEncoder().encode(JSON.stringify(json)));
  // The same limit as for an index.json in an archive.
  formatLayoutIndex(index);
  return { format: 'docker', index, find: (digest) => contents.get(digest) };
}

/** An image of manifest.json, by its config, with its full names. */
export interface DockerNames {
  readonly config: Digest;
  readonly repoTags: readonly { readonly full: string; readonly tag: string }[];
}

/**
 * Reads the names in the manifest.json of an archive that is read as an image layout. Malformed
 * parts are left out: only docker reads them.
 */
export async function readDockerNames(
  open: OpenTar,
  options: CallOptions = {},
): Promise<readonly DockerNames[]> {
  const parsed = manifestShape.safeParse(
    tryParseJson(await readMember(open, DOCKER_MANIFEST, options)),
  );
  const found: DockerNames[] = [];
  for (const image of parsed.data ?? []) {
    const repoTags = namesOf(image).flatMap(({ [IMAGE_NAME]: full, [REF_NAME]: tag }) =>
      full === undefined || tag === undefined ? [] : [{ full, tag }],
    );
    if (repoTags.length === 0 || open.tar.find(image.Config) === undefined) continue;
    found.push({ config: digestOf(await readMember(open, image.Config, options)), repoTags });
  }
  return found;
}

function parseManifestJson({ path }: OpenTar, bytes: Uint8Array): readonly DockerImage[] {
  const action = `Cannot read manifest.json of the archive ${quotePath(path)}`;
  const json = tryParseJson(bytes);
  if (json === undefined) throw invalidArchive(`${action}: expected JSON`);
  const parsed = manifestShape.safeParse(json);
  if (!parsed.success) throw invalidArchive(`${action}: ${describeIssue(parsed.error)}`);
  if (parsed.data.length > LIMITS.archiveImages)
    throw invalidArchive(
      `${action}: expected at most ${LIMITS.archiveImages} images, found ${parsed.data.length}`,
    );
  return parsed.data;
}

async function makeManifest(
  open: OpenTar,
  { Config, Layers }: DockerImage,
  layers: LayerReader,
  contents: Map<Digest, StoredContent>,
  options: CallOptions,
): Promise<Descriptor> {
  const configBytes = await readMember(open, Config, options);
  const config = {
    mediaType: MEDIA_TYPE.dockerConfig,
    digest: digestOf(configBytes),
    size: configBytes.byteLength,
  };
  contents.set(config.digest, made(configBytes));
  const diffIds = parseImageConfig(configBytes)?.diffIds ?? [];
  const names = Layers ?? [];
  if (diffIds.length !== names.length) {
    throw invalidArchive(
      `Cannot read the archive ${quotePath(open.path)}: expected as many layers as ${quote(Config)} has diff_ids (${diffIds.length}), found ${names.length}`,
      { hint: 'the archive is damaged; write it again' },
    );
  }
  const descriptors: Descriptor[] = [];
  for (const [at, name] of names.entries()) descriptors.push(await layers.read(name, diffIds[at]));
  // Docker has no type for zstd: podman 4.3, skopeo 1.9 and containerd 1.6 cannot pull a docker
  // manifest that names one.
  const isOci = descriptors.some((layer) => layer.mediaType === OCI_LAYER_TYPE.zstd);
  const mediaType = isOci ? MEDIA_TYPE.ociManifest : MEDIA_TYPE.dockerManifest;
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: toDescriptorJson(isOci ? { ...config, mediaType: MEDIA_TYPE.ociConfig } : config),
    layers: descriptors.map((layer) => toDescriptorJson(isOci ? ociLayer(layer) : layer)),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const digest = digestOf(bytes);
  contents.set(digest, made(bytes));
  return { mediaType, digest, size: bytes.byteLength };
}

function ociLayer(layer: Descriptor): Descriptor {
  const mediaType =
    layer.mediaType === LAYER_TYPE.gzip
      ? OCI_LAYER_TYPE.gzip
      : layer.mediaType === LAYER_TYPE.none
        ? OCI_LAYER_TYPE.none
        : layer.mediaType;
  return { ...layer, mediaType };
}

function made(bytes: Uint8Array): StoredContent {
  return { file: memoryFile(bytes), offset: 0, size: bytes.byteLength };
}

/**
 * Returns the names as the annotations of docker's image layouts, so that both formats are looked
 * up alike.
 */
function namesOf({ RepoTags }: DockerImage): readonly Readonly<Record<string, string>>[] {
  return (RepoTags ?? []).flatMap((name): Readonly<Record<string, string>>[] => {
    const named = referenceIn(name);
    // The digest in a name is that of the registry's manifest, which no such archive has.
    if (named?.digest !== undefined && named.tag === undefined) return [];
    const reference = named && withDefaultTag({ ...named, digest: undefined });
    // A name that is no reference is only shown.
    if (reference?.tag === undefined) return [{ [REF_NAME]: name }];
    return [{ [REF_NAME]: reference.tag, [IMAGE_NAME]: formatReference(reference) }];
  });
}

/** Reads each layer once, although several names may be one file. */
class LayerReader {
  readonly #open: OpenTar;
  readonly #contents: Map<Digest, StoredContent>;
  readonly #options: CallOptions;
  readonly #known = new Map<number, Descriptor>();

  constructor(open: OpenTar, contents: Map<Digest, StoredContent>, options: CallOptions) {
    this.#open = open;
    this.#contents = contents;
    this.#options = options;
  }

  async read(name: string, diffId: string | undefined): Promise<Descriptor> {
    const { tar, file, path } = this.#open;
    const entry = tar.find(name);
    if (entry === undefined) throw missingMember(path, name);
    const known = this.#known.get(entry.offset);
    if (known !== undefined) return known;
    const start = new Uint8Array(Math.min(MAGIC_BYTES, entry.size));
    await file.read(start, entry.offset);
    const compression = compressionOf(start);
    if (compression === 'xz' || compression === 'bzip2')
      throw invalidArchive(
        `Cannot read the archive ${quotePath(path)}: the layer ${quote(name)} is packed by ${compression}, which registries and most engines cannot unpack`,
        { hint: 'load it with docker, and save it again: docker load, docker save' },
      );
    const digest =
      compression === 'none' && diffId !== undefined && isDigest(diffId)
        ? diffId
        : await this.#hash(entry);
    const layer = { mediaType: LAYER_TYPE[compression], digest, size: entry.size };
    const stored = storedIn(this.#open, entry);
    if (stored !== undefined) this.#contents.set(digest, stored);
    this.#known.set(entry.offset, layer);
    return layer;
  }

  async #hash({ offset, size }: TarEntry): Promise<Digest> {
    const { file, path } = this.#open;
    const hash = createHash('sha256');
    let hashed = 0;
    const range = { from: offset, to: offset + size, signal: this.#options.signal };
    for await (const chunk of chunksOf(file, range)) {
      hash.update(chunk);
      hashed += chunk.byteLength;
    }
    if (hashed < size)
      throw invalidArchive(
        `Cannot read the archive ${quotePath(path)}: it became shorter while it was read`,
      );
    return digestFrom(hash, 'sha256');
  }
}
