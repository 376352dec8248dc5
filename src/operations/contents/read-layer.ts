import { createHash } from 'node:crypto';

import { drain, LimitExceededError, verified } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { digestFrom, type Digest, type DigestAlgorithm } from '../../oci/digest.ts';
import { isEncryptedType } from '../../oci/media-types.ts';
import type { Bytes, CallOptions, Source } from '../../store.ts';
import { compressionOf, MAGIC_BYTES, unpacked as decompressed } from '../../tar/decompress.ts';
import { readTar, type StreamedFile } from '../../tar/read-tar.ts';

/**
 * Streams the files of a layer in their order. Detects gzip, zstd or plain tar by the first bytes.
 * Stores nothing.
 *
 * Iteration completes only if the whole layer matches its descriptor; files yielded before that are
 * not yet verified.
 *
 * @throws {ContentMismatchError} when the bytes differ.
 * @throws {RegiError} INVALID_ARCHIVE when they are no layer.
 * @throws {LimitExceededError} when they unpack to more than any honest layer.
 */
export async function* readLayer(
  source: Source,
  layer: Descriptor,
  options: CallOptions = {},
): AsyncGenerator<StreamedFile> {
  const { unpacked, verifyRest } = unpackLayer(source, layer, options);
  yield* readTar(unpacked, { ...options, what: `layer ${layer.digest}` });
  await verifyRest();
}

export interface UnpackOptions extends CallOptions {
  /**
   * The largest unpacked size: a number of bytes, or a multiple of the packed size, whichever is
   * larger.
   */
  readonly limits?: { readonly unpackedBytes: number; readonly unpackedRatio: number } | undefined;
}

export interface UnpackedLayer {
  readonly unpacked: Bytes;
  /**
   * Verifies the packed bytes behind the end of the compressed data, which are part of the digest.
   * Call it at the end.
   */
  readonly verifyRest: () => Promise<void>;
}

/**
 * Opens a layer as its unpacked bytes, whatever its compression.
 *
 * @throws {RegiError} UNSUPPORTED for an encrypted layer; while iterating, what `readLayer()`
 *   throws.
 */
export function unpackLayer(
  source: Source,
  layer: Descriptor,
  options: UnpackOptions = {},
): UnpackedLayer {
  const { signal } = options;
  if (isEncryptedType(layer.mediaType))
    throw new RegiError('UNSUPPORTED', `Cannot read layer ${layer.digest}: it is encrypted`, {
      hint: 'decrypt the image first: skopeo copy --decryption-key KEY',
    });
  let isVerified = false;
  const packed: Bytes = {
    async *[Symbol.asyncIterator]() {
      yield* verified(source.fetch(layer, { signal }), layer);
      isVerified = true;
    },
  };
  return {
    unpacked: bounded(decoded(packed, { signal }), layer, options),
    verifyRest: async () => {
      if (!isVerified) await drain(verified(source.fetch(layer, { signal }), layer));
    },
  };
}

/**
 * Reads a layer to its end, and returns digest and size of its unpacked bytes. Stores nothing.
 *
 * @throws what `unpackLayer()` throws, and CONTENT_MISMATCH when the packed bytes differ.
 */
export async function measureUnpacked(
  source: Source,
  layer: Descriptor,
  algorithm: DigestAlgorithm,
  options: UnpackOptions = {},
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const hash = createHash(algorithm);
  let size = 0;
  const { unpacked, verifyRest } = unpackLayer(source, layer, options);
  for await (const chunk of unpacked) {
    hash.update(chunk);
    size += chunk.byteLength;
  }
  await verifyRest();
  return { digest: digestFrom(hash, algorithm), size };
}

async function* decoded(content: Bytes, options: CallOptions): AsyncGenerator<Uint8Array> {
  const chunks = content[Symbol.asyncIterator]();
  try {
    let start: Uint8Array = new Uint8Array();
    while (start.byteLength < MAGIC_BYTES) {
      const { value, done } = await chunks.next();
      if (done === true) break;
      start = Buffer.concat([start, value]);
    }
    yield* decompressed(joined(start, chunks), compressionOf(start), options);
  } finally {
    await chunks.return?.();
  }
}

/** The first bytes, then the rest. */
function joined(start: Uint8Array, rest: AsyncIterator<Uint8Array>): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      if (start.byteLength > 0) yield start;
      yield* { [Symbol.asyncIterator]: () => rest };
    },
  };
}

async function* bounded(
  content: Bytes,
  layer: Descriptor,
  { limits = LIMITS }: UnpackOptions,
): AsyncGenerator<Uint8Array> {
  const limit = Math.max(limits.unpackedBytes, layer.size * limits.unpackedRatio);
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > limit) {
      throw new LimitExceededError(
        `Cannot read layer ${layer.digest}: expected ${layer.size} bytes to unpack to at most ${limit}, found more`,
        { hint: 'no honest layer is packed that tightly; do not trust this image' },
      );
    }
    yield chunk;
  }
}
