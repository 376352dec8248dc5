import { mapInOrder } from '../../concurrency/map-in-order.ts';
import { RegiError, UNREADABLE } from '../../errors.ts';
import type { Descriptor, Platform } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { HistoryEntry, ImageConfig } from '../../oci/image-config.ts';
import { attestedDigest, shownTypeOf, type ImageManifest } from '../../oci/manifest.ts';
import { isImageConfigType } from '../../oci/media-types.ts';
import type { CallOptions, Source } from '../../store.ts';
import { readForHost, type ImageForHost, type PlatformChoice } from '../copy/resolve-image.ts';
import { readImageConfig, readManifest, type ManifestNode } from '../copy/read-manifest.ts';

/** An entry of an index. Members of all reports have the names of `--json`. */
export interface EntryReport {
  /** The platform as the index or config spells it; undefined for entries that run nowhere. */
  readonly platform: Platform | undefined;
  /** The digest of the entry's manifest. */
  readonly digest: Digest;
  /** The media type of the entry's manifest. */
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /**
   * Size of all layers together, compressed. Bytes; undefined without `sizes`, for an entry that
   * runs nowhere, and for one that is absent or damaged.
   */
  readonly compressedSize: number | undefined;
  /** The type of an artifact. */
  readonly artifactType: string | undefined;
  /** The digest of the entry that this attestation describes; undefined for other entries. */
  readonly attests: string | undefined;
  /** Annotations of the entry. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** One layer of an image. */
export interface LayerReport {
  /** The digest of the layer as it is stored. */
  readonly digest: Digest;
  /** The media type of the layer. */
  readonly mediaType: string;
  /** Bytes, compressed. */
  readonly size: number;
  /** The digest of the uncompressed layer. */
  readonly diffId: string | undefined;
  /** The command that created it. */
  readonly createdBy: string | undefined;
  /** When the layer was built. */
  readonly created: string | undefined;
  /** A remark of the builder. */
  readonly comment: string | undefined;
  /** Annotations of the layer's descriptor. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Where the content of a foreign layer is. */
  readonly urls: readonly string[];
}

/** A step of the build, with its layer if it has one. */
export interface HistoryReport extends HistoryEntry {
  /** The digest of the step's layer. */
  readonly digest: Digest | undefined;
  /** Bytes, compressed; 0 without a layer. */
  readonly size: number;
}

/** One image or artifact. */
export interface ImageReport extends Omit<ImageConfig, 'platform' | 'history' | 'diffIds'> {
  /** The digest of the image's manifest. */
  readonly digest: Digest;
  /** The media type of the image's manifest. */
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** The platform as the config spells it; undefined for an artifact. */
  readonly platform: Platform | undefined;
  /** The operating system, as the config names it. */
  readonly os: string | undefined;
  /** The architecture, as the config names it. */
  readonly architecture: string | undefined;
  /** The variant of the architecture. */
  readonly variant: string | undefined;
  /** Type of an artifact; undefined for an image that runs. */
  readonly artifactType: string | undefined;
  /** The digest of the config. */
  readonly configDigest: Digest;
  /** The media type of the config. */
  readonly configMediaType: string;
  /** Size of all layers together, compressed. Bytes. */
  readonly compressedSize: number;
  /** The image that this one was built on, as annotations or labels name it. */
  readonly base:
    | { readonly name: string | undefined; readonly digest: string | undefined }
    | undefined;
  /** The digest of the manifest that this one is about. */
  readonly subject: Digest | undefined;
  /** Annotations of the image's manifest. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The layers, the lowest first. */
  readonly layers: readonly LayerReport[];
  /** The steps of the build, the oldest first. */
  readonly history: readonly HistoryReport[];
}

/** The manifest that a name points to. */
export interface InspectReport {
  /** The digest of the manifest or index. */
  readonly digest: Digest;
  /** The media type of the manifest or index. */
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Annotations of the manifest or index. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The entries of an index, and of indexes in it; empty for an image. */
  readonly manifests: readonly EntryReport[];
  /** Undefined for an index without a runnable image. */
  readonly image: ImageReport | undefined;
}

/** Options of `inspectImage()`. */
export interface InspectOptions extends CallOptions {
  /** True to read the manifest of every platform, for its size. Each is one more request. */
  readonly sizes?: boolean | undefined;
  /** Called for each entry whose manifest is damaged. Its size stays undefined. */
  readonly onDamaged?: ((entry: Descriptor, error: RegiError) => void) | undefined;
}

/**
 * Inspects an image without its layers: the manifest, and the config of one platform. By default
 * that is the platform of this machine, or the first one if the image lacks it.
 *
 * @throws {PlatformNotFoundError} when the image lacks the requested platform.
 */
export async function inspectImage(
  source: Source,
  reference: string,
  choice: PlatformChoice,
  { sizes = false, onDamaged, ...options }: InspectOptions = {},
): Promise<InspectReport> {
  const found = await readForHost(source, reference, choice, options);
  const { descriptor, manifest } = found.root;
  const shown = await shownNode(source, found, options);
  const sizesOf = sizes
    ? await readSizes(source, found, shown, { ...options, onDamaged })
    : NO_SIZES;
  return {
    digest: descriptor.digest,
    mediaType: manifest.mediaType,
    size: descriptor.size,
    annotations: manifest.annotations,
    manifests: entryReports(found, sizesOf),
    image:
      shown?.manifest.kind === 'image'
        ? await imageReport(source, shown.descriptor, shown.manifest, found, options)
        : undefined,
  };
}

async function shownNode(
  source: Source,
  { root, entries, chosen }: ImageForHost,
  options: CallOptions,
): Promise<ManifestNode | undefined> {
  if (root.manifest.kind === 'image') return root;
  const entry = chosen ?? entries[0];
  return entry === undefined ? undefined : readManifest(source, entry, options);
}

const NO_SIZES: ReadonlyMap<Digest, number> = new Map();

/** Manifests that are read at the same time. */
const AT_ONCE = 16;

/** Returns the compressed size of every platform whose manifest can be read, by digest. */
async function readSizes(
  source: Source,
  { entries }: ImageForHost,
  shown: ManifestNode | undefined,
  { onDamaged, ...options }: InspectOptions,
): Promise<ReadonlyMap<Digest, number>> {
  const { signal = new AbortController().signal } = options;
  const sizes = new Map<Digest, number>();
  const read = async (entry: Descriptor, either: AbortSignal): Promise<void> => {
    try {
      const { manifest } =
        entry.digest === shown?.descriptor.digest
          ? shown
          : await readManifest(source, entry, { ...options, signal: either });
      if (manifest.kind === 'image') sizes.set(entry.digest, sizeOfLayers(manifest));
    } catch (error) {
      if (!(error instanceof RegiError) || !UNREADABLE.has(error.code)) throw error;
      // An archive or a sparse copy need not carry every platform.
      if (error.code !== 'NOT_FOUND') onDamaged?.(entry, error);
    }
  };
  for await (const _ of mapInOrder(entries, { limit: AT_ONCE, signal }, read));
  return sizes;
}

function sizeOfLayers({ layers }: ImageManifest): number {
  return layers.reduce((sum, { size }) => sum + size, 0);
}

function entryReports(
  { listed, entries }: ImageForHost,
  sizes: ReadonlyMap<Digest, number>,
): readonly EntryReport[] {
  const platforms = new Map(entries.map(({ digest, platform }) => [digest, platform]));
  return listed.map((entry) => ({
    platform: platforms.get(entry.digest),
    digest: entry.digest,
    mediaType: entry.mediaType,
    size: entry.size,
    compressedSize: sizes.get(entry.digest),
    artifactType: entry.artifactType,
    attests: attestedDigest(entry),
    annotations: entry.annotations ?? {},
  }));
}

async function imageReport(
  source: Source,
  descriptor: Descriptor,
  manifest: ImageManifest,
  { root }: ImageForHost,
  options: CallOptions,
): Promise<ImageReport> {
  const config = await readImageConfig(source, manifest, options);
  const isRunnable = isImageConfigType(manifest.config.mediaType);
  const { platform, history, diffIds, ...shown } = config ?? NO_CONFIG;
  const made = history.filter(({ empty }) => !empty);
  return {
    digest: descriptor.digest,
    mediaType: manifest.mediaType,
    size: descriptor.size,
    platform,
    os: platform?.os,
    architecture: platform?.architecture,
    variant: platform?.variant,
    artifactType:
      manifest.artifactType !== undefined || !isRunnable ? shownTypeOf(manifest) : undefined,
    configDigest: manifest.config.digest,
    configMediaType: manifest.config.mediaType,
    compressedSize: sizeOfLayers(manifest),
    ...shown,
    base: baseOf(manifest.annotations, root.manifest.annotations, shown.labels),
    subject: manifest.subject?.digest,
    annotations: manifest.annotations,
    layers: manifest.layers.map((layer, index) => layerReport(layer, made[index], diffIds[index])),
    history: withLayers(history, manifest.layers),
  };
}

const NO_CONFIG: ImageConfig = {
  platform: undefined,
  created: undefined,
  author: undefined,
  user: undefined,
  workingDir: undefined,
  stopSignal: undefined,
  entrypoint: [],
  cmd: [],
  env: [],
  exposedPorts: [],
  volumes: [],
  labels: {},
  diffIds: [],
  history: [],
};

function layerReport(
  layer: Descriptor,
  step: HistoryEntry | undefined,
  diffId: string | undefined,
): LayerReport {
  return {
    digest: layer.digest,
    mediaType: layer.mediaType,
    size: layer.size,
    diffId,
    createdBy: step?.createdBy,
    created: step?.created,
    comment: step?.comment,
    annotations: layer.annotations ?? {},
    urls: layer.urls ?? [],
  };
}

/**
 * Pairs each step of the history with its layer. Layers without a step become steps without
 * details.
 */
function withLayers(
  history: readonly HistoryEntry[],
  layers: readonly Descriptor[],
): readonly HistoryReport[] {
  const left = layers.values();
  const steps = history.map((entry): HistoryReport => {
    const layer = entry.empty ? undefined : left.next().value;
    return { ...entry, digest: layer?.digest, size: layer?.size ?? 0 };
  });
  const unknown = {
    created: undefined,
    createdBy: undefined,
    author: undefined,
    comment: undefined,
    empty: false,
  };
  return [
    ...steps,
    ...[...left].map(({ digest, size }): HistoryReport => ({ ...unknown, digest, size })),
  ];
}

const BASE_NAME = 'org.opencontainers.image.base.name';
const BASE_DIGEST = 'org.opencontainers.image.base.digest';

/** @see https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md */
function baseOf(...sources: readonly Readonly<Record<string, string>>[]): ImageReport['base'] {
  const found = sources.find(
    (source) => source[BASE_NAME] !== undefined || source[BASE_DIGEST] !== undefined,
  );
  return found === undefined ? undefined : { name: found[BASE_NAME], digest: found[BASE_DIGEST] };
}
