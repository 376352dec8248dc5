import { createHash } from 'node:crypto';

import * as z from 'zod/mini';

import { LIMITS } from '../../limits.ts';
import { describeIssue } from '../../oci/describe-issue.ts';
import { toDescriptorJson, type Descriptor } from '../../oci/descriptor.ts';
import { digestFrom, digestOf, isDigest, type Digest } from '../../oci/digest.ts';
import { parseImageConfig } from '../../oci/image-config.ts';
import { MEDIA_TYPE } from '../../oci/media-types.ts';
import { quote } from '../../quote.ts';
import { formatReference, referenceIn, withDefaultTag } from '../../oci/reference.ts';
import type { CallOptions } from '../../store.ts';
import { compressionOf, MAGIC_BYTES, type Compression } from '../../tar/decompress.ts';
import type { TarEntry } from '../../tar/index-tar.ts';
import {
  InvalidArchiveError,
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

const CHUNK_BYTES = 1024 * 1024;

const LAYER_TYPE = {
  none: 'application/vnd.docker.image.rootfs.diff.tar',
  gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  zstd: 'application/vnd.docker.image.rootfs.diff.tar.zstd',
  // There are no types of these. Engines look at the bytes of a "diff.tar", and know both.
  bzip2: 'application/vnd.docker.image.rootfs.diff.tar',
  xz: 'application/vnd.docker.image.rootfs.diff.tar',
} as const satisfies Record<Compression, string>;

const manifestShape = z.array(
  z.object({
    Config: z.string(),
    RepoTags: z.optional(z.nullable(z.array(z.string()))),
    Layers: z.nullable(z.array(z.string())),
  }),
);

type DockerImage = z.infer<typeof manifestShape>[number];

/**
 * Reads what `docker save` wrote before version 25, and what others write in that format. It holds no manifests: each image gets a
 * docker schema 2 manifest of its config and layers as they are stored, so the same archive gives the same digest each time.
 *
 * A layer that is not compressed is known by the diff_id that the config has for it, and proved when it is read; others are hashed here.
 *
 * @throws {InvalidArchiveError} when manifest.json is not what it should be, or names what is not in the tar.
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
  // The same bound as for an index.json that somebody wrote.
  formatLayoutIndex(index);
  return { format: 'docker', index, find: (digest) => contents.get(digest) };
}

function parseManifestJson({ path }: OpenTar, bytes: Uint8Array): readonly DockerImage[] {
  const action = `Cannot read manifest.json of the archive ${JSON.stringify(path)}`;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new InvalidArchiveError(`${action}: expected JSON`, { cause });
  }
  const parsed = manifestShape.safeParse(json);
  if (!parsed.success) throw new InvalidArchiveError(`${action}: ${describeIssue(parsed.error)}`);
  if (parsed.data.length > LIMITS.archiveImages)
    throw new InvalidArchiveError(
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
  contents.set(config.digest, { kind: 'made', bytes: configBytes });
  const diffIds = parseImageConfig(configBytes)?.diffIds ?? [];
  const names = Layers ?? [];
  if (diffIds.length !== names.length) {
    throw new InvalidArchiveError(
      `Cannot read the archive ${JSON.stringify(open.path)}: expected as many layers as ${quote(Config)} has diff_ids (${diffIds.length}), found ${names.length}`,
      { hint: 'the archive is damaged; write it again' },
    );
  }
  const descriptors: Descriptor[] = [];
  for (const [at, name] of names.entries()) descriptors.push(await layers.read(name, diffIds[at]));
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.dockerManifest,
    config: toDescriptorJson(config),
    layers: descriptors.map((layer) => toDescriptorJson(layer)),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const digest = digestOf(bytes);
  contents.set(digest, { kind: 'made', bytes });
  return { mediaType: MEDIA_TYPE.dockerManifest, digest, size: bytes.byteLength };
}

/** Docker's own annotations for the same names, so that both formats are looked up alike. */
function namesOf({ RepoTags }: DockerImage): readonly Readonly<Record<string, string>>[] {
  return (RepoTags ?? []).map((name) => {
    const named = referenceIn(name);
    const reference = named && withDefaultTag(named);
    // A name that is no reference stays what it is: it is shown, and never used as one.
    if (reference?.tag === undefined) return { [REF_NAME]: name };
    return { [REF_NAME]: reference.tag, [IMAGE_NAME]: formatReference(reference) };
  });
}

/** Several names may be one file: each is read once. */
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
    const hash = createHash('sha256');
    const buffer = new Uint8Array(Math.min(CHUNK_BYTES, size));
    for (let at = 0; at < size;) {
      this.#options.signal?.throwIfAborted();
      const piece = buffer.subarray(0, Math.min(buffer.byteLength, size - at));
      const read = await this.#open.file.read(piece, offset + at);
      if (read === 0)
        throw new InvalidArchiveError(
          `Cannot read the archive ${JSON.stringify(this.#open.path)}: it became shorter while it was read`,
        );
      hash.update(piece.subarray(0, read));
      at += read;
    }
    return digestFrom(hash, 'sha256');
  }
}
