import { LimitExceededError, verified } from '../../bytes.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes, CallOptions, Source } from '../../store.ts';
import { compressionOf, MAGIC_BYTES, unpacked } from '../../tar/decompress.ts';
import { readTar, type StreamedFile } from '../../tar/read-tar.ts';

/**
 * Streams the files of a layer in the order in which it holds them: gzip, zstd or plain, told by its first bytes. Nothing is stored.
 *
 * Iteration ends well only if the whole layer was what its descriptor says; what came before that is not proved yet.
 *
 * @throws {ContentMismatchError} when the bytes are others.
 * @throws {InvalidTarError} or {InvalidCompressionError} when they are no layer.
 * @throws {LimitExceededError} when they unpack to more than any honest layer.
 */
export async function* readLayer(
  source: Source,
  layer: Descriptor,
  options: CallOptions = {},
): AsyncGenerator<StreamedFile> {
  const what = `layer ${layer.digest}`;
  let isProved = false;
  const compressed: Bytes = {
    async *[Symbol.asyncIterator]() {
      yield* verified(source.fetch(layer, options), layer);
      isProved = true;
    },
  };
  yield* readTar(bounded(decoded(compressed, options), layer, what), { ...options, what });
  // Decoders stop at the end of what they know; what stands behind it is a part of the digest.
  if (!isProved) await drain(verified(source.fetch(layer, options), layer));
}

async function drain(content: Bytes): Promise<void> {
  const chunks = content[Symbol.asyncIterator]();
  while ((await chunks.next()).done !== true);
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
    yield* unpacked(resumed(start, chunks), compressionOf(start), options);
  } finally {
    await chunks.return?.();
  }
}

/** What was read to look at it, and then the rest. */
function resumed(start: Uint8Array, rest: AsyncIterator<Uint8Array>): Bytes {
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
  what: string,
): AsyncGenerator<Uint8Array> {
  const limit = Math.max(LIMITS.unpackedBytes, layer.size * LIMITS.unpackedRatio);
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > limit) {
      throw new LimitExceededError(
        `Cannot read ${what}: expected ${layer.size} bytes to unpack to at most ${limit}, found more`,
        {
          hint: 'no honest layer is packed that tightly; do not trust this image',
        },
      );
    }
    yield chunk;
  }
}
