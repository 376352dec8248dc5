import type { SeekableBytes } from '../../../src/bytes.ts';
import type { Bytes } from '../../../src/store.ts';

/** Overwrites released chunks; it is easy to see in hex dumps of broken copies. */
const POISON = 0xde;

export interface PoisonOptions {
  /** Bytes of each chunk but the last. */
  readonly chunkSize?: number | undefined;
}

/**
 * Content of a strict producer: every chunk lies in one recycled buffer, which is overwritten when
 * the next chunk is requested or the loop is left. A reader that keeps a chunk without copying it
 * sees 0xDE.
 */
export function poisoned(content: Uint8Array, { chunkSize = 4093 }: PoisonOptions = {}): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      const slab = new Uint8Array(Math.min(chunkSize, content.byteLength));
      try {
        for (let offset = 0; offset < content.byteLength; offset += chunkSize) {
          const piece = content.subarray(offset, offset + chunkSize);
          slab.set(piece);
          yield slab.subarray(0, piece.byteLength);
          slab.fill(POISON);
        }
      } finally {
        slab.fill(POISON);
      }
    },
  };
}

export interface SeekableOptions {
  /** Fails with the error `killed` at this byte. */
  readonly breaksAt?: number | undefined;
}

/** Content that can be opened at any byte, and the offsets at which it was opened. */
export interface RecordedSeekable extends SeekableBytes {
  readonly openedAt: readonly number[];
}

/** Content as a registry sends it: from any offset, in recycled chunks, until the link breaks. */
export function seekable(bytes: Uint8Array, { breaksAt }: SeekableOptions = {}): RecordedSeekable {
  const openedAt: number[] = [];
  const open = (offset: number): Bytes => ({
    async *[Symbol.asyncIterator]() {
      openedAt.push(offset);
      yield* poisoned(bytes.subarray(offset, breaksAt), { chunkSize: 100_000 });
      if (breaksAt !== undefined) throw new Error('killed');
    },
  });
  return { openedAt, from: open, [Symbol.asyncIterator]: () => open(0)[Symbol.asyncIterator]() };
}
