import { eitherSignal } from './together.ts';

export interface InOrderOptions {
  /** Tasks that run at the same time. */
  readonly limit: number;
  /** When it aborts, no more tasks start; running ones are expected to end. */
  readonly signal: AbortSignal;
}

/**
 * Runs a task for each item and yields the results in the order of the items. A slow task delays
 * later results, but not later tasks. For long streams of work whose output keeps its order; a
 * fixed set of tasks takes `together()`, a plain limit p-limit.
 *
 * @param task never rejects. Its signal aborts with `signal`, and when the reader leaves early; the
 *   generator ends after all tasks have settled.
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
      // Checked again: the next result may have arrived while the last one was handed over.
      if (waiting.length > 0 && waiting[0]?.result === undefined) await oneSettles();
    }
  } finally {
    leaving.abort();
    await Promise.all(running);
  }
}
