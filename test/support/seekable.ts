import type { SeekableBytes } from '../../src/bytes.ts';
import type { Bytes } from '../../src/store.ts';
import { poisoned } from './poison.ts';

export interface SeekableOptions {
  /** It breaks off with the error `killed` at this byte. */
  readonly breaksAt?: number | undefined;
}

/** Content that can be opened at any byte, and where it was. */
export interface RecordedSeekable extends SeekableBytes {
  readonly openedAt: readonly number[];
}

/** Bytes as a registry gives them: from any offset, in recycled chunks, and until the link breaks. */
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
