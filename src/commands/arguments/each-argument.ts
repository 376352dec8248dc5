import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';

/** An argument, parsed, that keeps what was typed. */
export interface Typed {
  readonly text: string;
}

/** Some of several arguments failed; each was told as a `failed` event. */
export class SomeFailedError extends RegiError {
  readonly failed: number;
  readonly total: number;

  constructor(failed: number, total: number) {
    super('PARTIAL_FAILURE', `Cannot finish: ${failed} of ${total} failed`, {
      hint: 'see above what is wrong with each; the others are done',
    });
    this.failed = failed;
    this.total = total;
  }
}

/**
 * Does one thing after the other, and goes on when one fails.
 *
 * @throws {SomeFailedError} at the end; of a single argument what it threw.
 */
export async function* eachArgument<Item extends Typed, Row>(
  items: readonly Item[],
  { signal, onEvent }: Context,
  work: (item: Item) => Promise<Row>,
): AsyncIterable<Row> {
  let failed = 0;
  for (const item of items) {
    try {
      yield await work(item);
    } catch (error) {
      signal.throwIfAborted();
      // Ctrl-C at a question aborts no signal, and means all of it.
      if (!(error instanceof RegiError) || error.code === 'INTERRUPTED' || items.length === 1)
        throw error;
      failed += 1;
      onEvent({ kind: 'failed', image: item.text, error });
    }
  }
  if (failed > 0) throw new SomeFailedError(failed, items.length);
}
