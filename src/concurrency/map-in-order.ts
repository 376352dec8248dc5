import { inOrder, type InOrderOptions } from './in-order.ts';

/**
 * Like `inOrder()` for tasks that may fail. The first failure, in the order of the items, ends the
 * iteration; the other tasks are aborted and have settled before it is thrown.
 *
 * @throws the signal's reason when it has aborted, else what the first failed task or `items`
 *   threw.
 */
export async function* mapInOrder<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  options: InOrderOptions,
  task: (item: Item, signal: AbortSignal) => Promise<Result>,
): AsyncGenerator<Result> {
  const attempts = inOrder(asAsync(items), options, async (item, signal) => {
    try {
      return { value: await task(item, signal) };
    } catch (error) {
      return { error };
    }
  });
  for await (const attempt of attempts) {
    options.signal.throwIfAborted();
    if ('error' in attempt) throw attempt.error;
    yield attempt.value;
  }
  options.signal.throwIfAborted();
}

async function* asAsync<Item>(items: Iterable<Item> | AsyncIterable<Item>): AsyncGenerator<Item> {
  yield* items;
}
