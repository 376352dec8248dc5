import { eitherSignal } from './together.ts';

export interface InOrderOptions {
  /** Tasks that run at once. */
  readonly limit: number;
  /** When it aborts, no more tasks are begun; those that run are expected to end. */
  readonly signal: AbortSignal;
}

/**
 * Runs a task for each item and yields the results in the order of the items. One that takes long keeps later results waiting, but
 * not later tasks.
 *
 * @param task never rejects. Its signal aborts with `signal`, and when the reader leaves early; all tasks have settled before that ends.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  { limit, signal }: InOrderOptions,
  task: (item: Item, signal: AbortSignal) => Promise<Result>,
): AsyncGenerator<Result> {
  const leaving = new AbortController();
  const either = eitherSignal(leaving.signal, signal);
  const waiting: { result?: { readonly value: Result } }[] = [];
  const running = new Set<Promise<void>>();
  let onSettled = (): void => {};

  function begin(item: Item): void {
    const place: (typeof waiting)[number] = {};
    waiting.push(place);
    const ended = task(item, either).then((value) => {
      place.result = { value };
      running.delete(ended);
      onSettled();
    });
    running.add(ended);
  }

  const oneSettles = (): Promise<void> =>
    new Promise((resolve) => {
      onSettled = resolve;
    });

  function* settled(): Generator<Result> {
    for (let first = waiting[0]?.result; first !== undefined; first = waiting[0]?.result) {
      waiting.shift();
      yield first.value;
    }
  }

  try {
    for await (const item of items) {
      if (signal.aborted) break;
      begin(item);
      yield* settled();
      while (running.size >= limit) {
        await oneSettles();
        yield* settled();
      }
    }
    while (waiting.length > 0) {
      yield* settled();
      // Asked again: while a result was handed over, the next may have come.
      if (waiting.length > 0 && waiting[0]?.result === undefined) await oneSettles();
    }
  } finally {
    leaving.abort();
    await Promise.all(running);
  }
}
