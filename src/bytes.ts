import { createHash, type Hash } from 'node:crypto';

import { RegiError, type RegiErrorOptions } from './errors.ts';
import { sameContent, type Descriptor } from './oci/descriptor.ts';
import { algorithmOf, digestFrom, digestOf } from './oci/digest.ts';
import type { Bytes } from './store.ts';

/** Content that does not match its descriptor. */
export class ContentMismatchError extends RegiError {
  readonly expected: Descriptor;

  constructor(expected: Descriptor, found: string) {
    super(
      'CONTENT_MISMATCH',
      `Cannot accept ${expected.digest}: expected ${expected.size} bytes of that digest, found ${found}`,
      {
        hint: 'the source is damaged or was changed; try another source, or push the image there again',
      },
    );
    this.expected = expected;
  }
}

/** Content, or a list, exceeds a limit. */
export class LimitExceededError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('LIMIT_EXCEEDED', message, options);
  }
}

/** Makes content of bytes in memory. The only chunk is the array itself. */
export function bytesOf(content: Uint8Array): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      if (content.byteLength > 0) yield content;
    },
  };
}

/** Content that can be opened at any byte, so that an interrupted transfer resumes there. */
export interface SeekableBytes extends Bytes {
  /** @param offset first byte wanted, from 0. */
  from(offset: number): Bytes;
}

/**
 * Opens content at `offset`, unverified: only together with the bytes before it can it be verified.
 * Returns undefined for content that opens only at its beginning.
 */
export function openedAt(content: Bytes, offset: number): Bytes | undefined {
  if (content instanceof VerifiedBytes) return openedAt(content.unverified, offset);
  return isSeekable(content) ? content.from(offset) : undefined;
}

function isSeekable(content: Bytes): content is SeekableBytes {
  return 'from' in content && typeof content.from === 'function';
}

/** Makes seekable content of a function that opens it at any position. */
export function seekable(open: (position: number) => Bytes): SeekableBytes {
  return { [Symbol.asyncIterator]: () => open(0)[Symbol.asyncIterator](), from: open };
}

/**
 * Verifies content: iteration completes only if size and digest are those of `expected`. It stops
 * at the first surplus byte, so that a peer cannot make it read on. Content that is already
 * verified for that descriptor is returned as it is.
 *
 * `from()` resumes after an interrupted iteration: it verifies the bytes of both together, and
 * reads little again where `content` can seek. Without an earlier iteration, or past its end, it
 * reads the missing bytes without yielding them.
 *
 * @throws {ContentMismatchError} while iterating.
 */
export function verified(content: Bytes, expected: Descriptor): SeekableBytes {
  if (content instanceof VerifiedBytes && sameContent(content.expected, expected)) return content;
  return new VerifiedBytes(content, expected);
}

/** The hash of the first `position` bytes. */
interface Mark {
  readonly position: number;
  readonly hash: Hash;
}

/** Marks of one content at most; each holds the state of a hash, some 200 bytes. */
const MARKS = 64;
/** Below this distance, reading again costs no more than the request for it. Bytes. */
const LEAST_BETWEEN_MARKS = 64 * 1024;

class VerifiedBytes implements SeekableBytes {
  readonly expected: Descriptor;
  readonly unverified: Bytes;
  /** Marks of the last iteration, in order. */
  #marks: readonly Mark[] = [];

  constructor(content: Bytes, expected: Descriptor) {
    this.unverified = content;
    this.expected = expected;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    this.#marks = [];
    return this.#read(0);
  }

  from(position: number): Bytes {
    return { [Symbol.asyncIterator]: () => this.#read(position) };
  }

  async *#read(position: number): AsyncGenerator<Uint8Array> {
    const { expected } = this;
    const algorithm = algorithmOf(expected.digest);
    const marks: Mark[] = this.#marks.filter((mark) => mark.position <= position);
    this.#marks = marks;
    const begin = marks.at(-1);
    const hash = begin?.hash.copy() ?? createHash(algorithm);
    let size = begin?.position ?? 0;
    const step = Math.max(LEAST_BETWEEN_MARKS, Math.ceil(expected.size / MARKS));
    let markAt = size + step;
    for await (const chunk of openAt(this.unverified, size)) {
      const known = position - size;
      size += chunk.byteLength;
      if (size > expected.size) throw new ContentMismatchError(expected, 'more bytes than that');
      hash.update(chunk);
      if (size >= markAt) {
        marks.push({ position: size, hash: hash.copy() });
        markAt = size + step;
      }
      if (known < chunk.byteLength) yield known > 0 ? chunk.subarray(known) : chunk;
    }
    if (size < expected.size) throw new ContentMismatchError(expected, `${size} bytes`);
    const digest = digestFrom(hash, algorithm);
    if (digest !== expected.digest) throw new ContentMismatchError(expected, digest);
  }
}

function openAt(content: Bytes, position: number): Bytes {
  if (position === 0) return content;
  return isSeekable(content) ? content.from(position) : withoutFirst(content, position);
}

/** Skips the first `count` bytes. */
export function withoutFirst(content: Bytes, count: number): Bytes {
  if (count === 0) return content;
  return {
    async *[Symbol.asyncIterator]() {
      let left = count;
      for await (const chunk of content) {
        const dropped = Math.min(left, chunk.byteLength);
        left -= dropped;
        if (dropped < chunk.byteLength) yield chunk.subarray(dropped);
      }
    },
  };
}

/**
 * Collects content into memory, copied.
 *
 * @throws {LimitExceededError} at the first byte over `limit`.
 */
export async function collect(content: Bytes, limit: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of content) {
    size += chunk.byteLength;
    if (size > limit)
      throw new LimitExceededError(`Cannot read ${what}: expected at most ${limit} bytes`);
    chunks.push(copyOf(chunk));
  }
  return Buffer.concat(chunks, size);
}

/**
 * Collects the content of `expected` into memory, verified.
 *
 * @throws {LimitExceededError} when the descriptor itself is over `limit`.
 * @throws {ContentMismatchError} when the bytes differ.
 */
export async function collectVerified(
  content: Bytes,
  expected: Descriptor,
  limit: number,
): Promise<Uint8Array> {
  if (expected.size > limit)
    throw new LimitExceededError(
      `Cannot read ${expected.digest}: expected at most ${limit} bytes, found a size of ${expected.size}`,
    );
  return collect(verified(content, expected), limit, expected.digest);
}

/**
 * Collects the content of `expected` into memory, proved by its digest alone. The stated size is a
 * hint: docker before 18.09 wrote indexes with right digests and wrong sizes.
 *
 * @throws {LimitExceededError} at the first byte over `limit`.
 * @throws {ContentMismatchError} when the digest differs.
 */
export async function collectProved(
  content: Bytes,
  expected: Descriptor,
  limit: number,
): Promise<Uint8Array> {
  const bytes = await collect(content, limit, expected.digest);
  const digest = digestOf(bytes, algorithmOf(expected.digest));
  if (digest === expected.digest) return bytes;
  const { byteLength } = bytes;
  throw new ContentMismatchError(
    expected,
    byteLength === expected.size ? digest : `${byteLength} bytes`,
  );
}

/** True if bytes in memory match `expected`. */
export function matches(content: Uint8Array, expected: Descriptor): boolean {
  return (
    content.byteLength === expected.size &&
    digestOf(content, algorithmOf(expected.digest)) === expected.digest
  );
}

/** Reads content to its end and drops it, for content that verifies itself while it is read. */
export async function drain(content: Bytes): Promise<void> {
  const chunks = content[Symbol.asyncIterator]();
  while ((await chunks.next()).done !== true);
}

/** The same bytes in chunks that the reader may keep. */
export function owned(content: Bytes): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of content) yield copyOf(chunk);
    },
  };
}

/** Copies. Not with `slice()`, which on a Buffer makes a view of the same memory. */
function copyOf(chunk: Uint8Array): Uint8Array {
  return new Uint8Array(chunk);
}
