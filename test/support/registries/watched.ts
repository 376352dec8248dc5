import type { Bytes } from '../../../src/store.ts';

/** Content that counts how it is read. */
export interface Watched {
  readonly content: Bytes;
  /** Number of times it was opened. */
  readonly opened: () => number;
  /** Number of readers that have closed it: read to the end, left or failed. */
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

/** Yields `first` and then waits until `signal` aborts; `stalled` resolves when the wait begins. */
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

/** Reads all content into memory, copied chunk by chunk. */
export async function readAll(content: Bytes): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(new Uint8Array(chunk));
  return new Uint8Array(Buffer.concat(chunks));
}

/** Collects all items of a listing. */
export async function listAll<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
