import { collectProved } from '../../bytes.ts';
import type { Results } from '../../concurrency/single-flight.ts';
import { RegiError } from '../../errors.ts';
import { isJsonObject, tryParseJson, type JsonObject } from '../../json.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseImageConfig, type ImageConfig } from '../../oci/image-config.ts';
import { parseManifest, type ImageManifest, type Manifest } from '../../oci/manifest.ts';
import { isImageConfigType } from '../../oci/media-types.ts';
import type { CallOptions, Source } from '../../store.ts';

/** A parsed manifest with its exact bytes, which are what its digest covers and what is copied. */
export interface ManifestNode {
  /** Media type, digest and real size of the manifest. */
  readonly descriptor: Descriptor;
  /** The exact bytes, verified. */
  readonly bytes: Uint8Array;
  /** The parsed bytes. */
  readonly manifest: Manifest;
}

/** Reads a manifest, from a source or a cache. */
export type ReadNode = (descriptor: Descriptor) => Promise<ManifestNode>;

/**
 * Reads and parses the manifest of `descriptor`, verified.
 *
 * @throws {RegiError} LIMIT_EXCEEDED over 4 MiB, CONTENT_MISMATCH, INVALID_MANIFEST, UNSUPPORTED,
 *   or what the source throws.
 */
export async function readManifest(
  source: Source,
  descriptor: Descriptor,
  options: CallOptions = {},
): Promise<ManifestNode> {
  const bytes = await collectProved(
    source.fetch(descriptor, { ...options, asManifest: true }),
    descriptor,
    LIMITS.manifestBytes,
  );
  return {
    descriptor: { ...descriptor, size: bytes.byteLength },
    bytes,
    manifest: parseManifest(bytes, descriptor.mediaType),
  };
}

/** Says of a manifest that is missing that an index lists it. */
export async function asChild(reading: Promise<ManifestNode>): Promise<ManifestNode> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof RegiError) || error.code !== 'NOT_FOUND') throw error;
    throw new RegiError('NOT_FOUND', `${error.message}; an index lists it`, {
      hint: 'copy the platforms that are there with --platform, or push the whole image again',
      cause: error,
    });
  }
}

/**
 * Manifests from elsewhere than their source, whose bytes are proved by the digest before they are
 * returned.
 */
export interface KeptManifests {
  /** Returns the bytes; undefined where they are not kept. */
  get(digest: Digest): Promise<Uint8Array | undefined>;
  /** Keeps the bytes of a manifest that was read from its source. */
  put(digest: Digest, bytes: Uint8Array): Promise<void>;
}

/** Returns the manifest of a digest; undefined where it is not kept. */
export async function readKept(
  kept: KeptManifests,
  descriptor: Descriptor,
): Promise<ManifestNode | undefined> {
  const bytes = await kept.get(descriptor.digest);
  if (bytes === undefined) return undefined;
  const manifest = parseManifest(bytes, descriptor.mediaType);
  return { descriptor: { ...descriptor, size: bytes.byteLength }, bytes, manifest };
}

/** Reads the exact bytes of the config, verified. */
export async function readConfig(
  source: Source,
  { config }: ImageManifest,
  options: CallOptions = {},
): Promise<Uint8Array> {
  return collectProved(source.fetch(config, options), config, LIMITS.configBytes);
}

/**
 * Reads and parses the config of an image; undefined for an artifact, and for a config that is no
 * JSON object.
 */
export async function readImageConfig(
  source: Source,
  manifest: ImageManifest,
  options: CallOptions = {},
): Promise<ImageConfig | undefined> {
  return isImageConfigType(manifest.config.mediaType)
    ? parseImageConfig(await readConfig(source, manifest, options))
    : undefined;
}

/** An index as JSON, so that members unknown to regi survive an edit. */
export function indexJson({ bytes, descriptor }: ManifestNode): {
  readonly body: JsonObject;
  readonly entries: readonly unknown[];
} {
  const body = tryParseJson(bytes);
  if (!isJsonObject(body) || !Array.isArray(body['manifests']))
    throw new Error(`${descriptor.digest} was parsed as an index and is none`);
  return { body, entries: body['manifests'] };
}

type Kept = { readonly value: ManifestNode };

/**
 * A cache of manifests, bounded by their bytes: a command may copy any number of images. Drops the
 * oldest first.
 */
export class RecentManifests implements Results<ManifestNode> {
  readonly #kept = new Map<string, Kept>();
  readonly #limit: number;
  #bytes = 0;

  /** @param limit bytes of all manifests together. */
  constructor(limit: number = LIMITS.manifestsHeldBytes) {
    this.#limit = limit;
  }

  get(key: string): Kept | undefined {
    return this.#kept.get(key);
  }

  set(key: string, manifest: Kept): void {
    this.#drop(key);
    this.#kept.set(key, manifest);
    this.#bytes += manifest.value.bytes.byteLength;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#limit) return;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.value.bytes.byteLength ?? 0;
    this.#kept.delete(key);
  }
}
