import type { Bytes } from '../../../src/store.ts';

/** Content that tells how it is read. */
export interface Watched {
  readonly content: Bytes;
  /** How often it was opened. */
  readonly opened: () => number;
  /** How many of those are closed again: read to the end, left or failed. */
  readonly closed: () => number;
}

/** The same bytes, counted. */
export function watched(inner: Bytes): Watched {
  let opened = 0;
  let closed = 0;
  const content: Bytes = {
    async *[Symbol.asyncIterator]() {
      opened += 1;
      try {
        yield* inner;
      } finally {
        closed += 1;
      }
    },
  };
  return { content, opened: () => opened, closed: () => closed };
}

/** Gives `first` and then nothing more until `signal` aborts; `stalled` resolves when it has come that far. */
export function stalling(
  first: Uint8Array,
  signal: AbortSignal,
): Watched & { readonly stalled: Promise<void> } {
  let arrive = (): void => undefined;
  const stalled = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const source: Bytes = {
    async *[Symbol.asyncIterator]() {
      yield first;
      arrive();
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
    },
  };
  return { ...watched(source), stalled };
}

/** Every byte of a content, in memory, copied chunk by chunk. */
export async function readAll(content: Bytes): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(new Uint8Array(chunk));
  return new Uint8Array(Buffer.concat(chunks));
}

/** All that a listing yields. */
export async function listAll<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
