import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';

/** A parsed argument with its text. */
export interface Typed {
  /** As typed. */
  readonly text: string;
}

/** Error of a command with several arguments, some of which failed. A `failed` event has reported each. */
export function someFailedError(failed: number, total: number): RegiError {
  return new RegiError('PARTIAL_FAILURE', `Cannot finish: ${failed} of ${total} failed`, {
    hint: 'the errors above say why; the others are done',
    details: { failed, total },
  });
}

/**
 * Works through arguments in their order, and continues after one that fails.
 *
 * @throws {RegiError} PARTIAL_FAILURE at the end; for a single argument its own error.
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
      // Ctrl-C at a prompt aborts no signal, and ends the whole command.
      if (!(error instanceof RegiError) || error.code === 'INTERRUPTED' || items.length === 1)
        throw error;
      failed += 1;
      onEvent({ kind: 'failed', image: item.text, error });
    }
  }
  if (failed > 0) throw someFailedError(failed, items.length);
}
