import type { Writable } from 'node:stream';
import zlib, { createGunzip, type Gunzip } from 'node:zlib';

import { owned } from '../bytes.ts';
import type { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Bytes, CallOptions } from '../store.ts';
import { invalidCompression, ZstdFrames } from './zstd-frames.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** Bytes that `compressionOf` needs from the start. */
export const MAGIC_BYTES = 6;

/**
 * Detects a compression by the first bytes: names and media types are often wrong, bytes are not.
 */
export function compressionOf(start: Uint8Array): Compression {
  if (isSkippable(start)) return 'zstd';
  return MAGIC.find(([, magic]) => magic.every((byte, at) => start[at] === byte))?.[0] ?? 'none';
}

/**
 * Unpacks content. Several gzip members or zstd frames in a row are one content.
 *
 * The reader must limit what it reads: a few bytes may unpack to terabytes.
 *
 * @throws {RegiError} INVALID_ARCHIVE while iterating, on damaged content, and on bzip2 and xz.
 * @throws {LimitExceededError} while iterating, on a zstd frame that needs more memory than
 *   `zstdWindowBytes`.
 */
export function unpacked(
  content: Bytes,
  compression: Compression,
  options: CallOptions = {},
): Bytes {
  switch (compression) {
    case 'none':
      return content;
    case 'gzip':
      return { [Symbol.asyncIterator]: () => through('gzip', createGunzip(), content, options) };
    case 'zstd':
      return { [Symbol.asyncIterator]: () => unzstd(content, options) };
    case 'bzip2':
    case 'xz':
      throw invalidCompression(`Cannot unpack ${compression}: expected gzip, zstd or a plain tar`, {
        hint: `unpack it first: ${compression === 'xz' ? 'xz -d' : 'bzip2 -d'} FILE`,
      });
    default:
      return compression satisfies never;
  }
}

function isSkippable(start: Uint8Array): boolean {
  const [first = 0, ...rest] = start.subarray(0, 4);
  return (
    first >= 0x50 &&
    first <= 0x5f &&
    rest.length === 3 &&
    [0x2a, 0x4d, 0x18].every((byte, at) => rest[at] === byte)
  );
}

/**
 * Passes the same bytes on, and refuses a window over the limit before the decoder sees its frame.
 * Node's decoder drops bytes after a frame in the same write (22.15 to 24 at least), so each chunk
 * ends where a frame ends.
 */
function guarded(content: Bytes, windowBytes: number): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      const frames = new ZstdFrames(windowBytes);
      for await (const chunk of content) {
        let from = 0;
        for (const end of [...frames.look(chunk), chunk.byteLength]) {
          if (end > from) yield chunk.subarray(from, end);
          from = end;
        }
      }
      if (!frames.atEnd)
        throw invalidCompression('Cannot unpack zstd: expected more bytes, found the end', {
          hint: 'the file is incomplete; copy it here again',
        });
    },
  };
}

async function* unzstd(content: Bytes, options: CallOptions): AsyncGenerator<Uint8Array> {
  // Node has zstd from 22.15 on; the types are those of the oldest supported Node.
  const native = (zlib as { readonly createZstdDecompress?: () => Gunzip }).createZstdDecompress;
  if (native === undefined)
    yield* unzstdInJavaScript(guarded(content, LIMITS.zstdWindowInJavaScriptBytes));
  else yield* through('zstd', native(), guarded(content, LIMITS.zstdWindowBytes), options);
}

async function* unzstdInJavaScript(content: Bytes): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import('fzstd');
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => void ready.push(new Uint8Array(chunk)));
  const feed = (chunk: Uint8Array, last: boolean): void => {
    try {
      decoder.push(chunk, last);
    } catch (cause) {
      throw damaged('zstd', cause);
    }
  };
  for await (const chunk of content) {
    // The decoder keeps input that it cannot use yet, and small pieces limit its output.
    for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
      feed(new Uint8Array(chunk.subarray(at, at + PIECE_BYTES)), false);
      yield* ready;
      ready = [];
    }
  }
  feed(new Uint8Array(), true);
  yield* ready;
}

const PIECE_BYTES = 64 * 1024;

async function* through(
  kind: Compression,
  decoder: Gunzip,
  content: Bytes,
  { signal }: CallOptions,
): AsyncGenerator<Uint8Array> {
  let failure: { readonly error: unknown } | undefined;
  const feeding = feed(decoder, content).catch((error: unknown) => {
    failure ??= { error };
    decoder.destroy();
  });
  const stop = (): void => void decoder.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    signal?.throwIfAborted();
    for await (const chunk of decoder) yield chunk as Uint8Array;
  } catch (error) {
    signal?.throwIfAborted();
    throw failure === undefined ? damaged(kind, error) : failure.error;
  } finally {
    signal?.removeEventListener('abort', stop);
    decoder.destroy();
    await feeding;
  }
}

/** Writes content to a decoder, as fast as it takes it, until one of them ends. */
export async function feed(decoder: Writable, content: Bytes): Promise<void> {
  // The decoder keeps its input.
  for await (const chunk of owned(content)) {
    if (decoder.destroyed) return;
    if (!decoder.write(chunk)) await drained(decoder);
  }
  if (!decoder.destroyed) decoder.end();
}

/** Resolves also when the decoder is closed, because it will not be drained then. */
function drained(decoder: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      decoder.off('drain', settle).off('close', settle);
      resolve();
    };
    decoder.once('drain', settle).once('close', settle);
  });
}

function damaged(kind: Compression, cause: unknown): RegiError {
  const reason = cause instanceof Error ? cause.message : 'unknown reason';
  return invalidCompression(`Cannot unpack ${kind}: ${reason}`, {
    hint: 'the file is damaged or incomplete; copy it here again',
    cause,
  });
}
