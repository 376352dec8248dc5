import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { commonCause } from '../../shared-cause.ts';

/** A parsed argument with its text. */
export interface Typed {
  /** As typed. */
  readonly text: string;
}

/**
 * Error of a command with several arguments, some of which failed. A `failed` event has reported
 * each.
 *
 * @param others what became of the others, for the hint.
 */
export function someFailedError(
  failures: readonly unknown[],
  total: number,
  others = 'the others are done',
): RegiError {
  const failed = failures.length;
  const cause = failed === total ? commonCause(failures) : undefined;
  return new RegiError(
    cause?.code ?? 'PARTIAL_FAILURE',
    `Cannot finish: ${failed} of ${total} failed${cause === undefined ? '' : ', all for one reason'}`,
    {
      hint: cause?.hint ?? `the errors above say why${failed === total ? '' : `; ${others}`}`,
      details: { failed, total },
      cause,
    },
  );
}

/**
 * Works through arguments in their order, and continues after one that fails.
 *
 * @throws {RegiError} PARTIAL_FAILURE at the end, or the code of the cause if all failed for one;
 *   for a single argument its own error.
 */
export async function* eachArgument<Item extends Typed, Row>(
  items: readonly Item[],
  { signal, onEvent }: Context,
  work: (item: Item) => Promise<Row>,
): AsyncIterable<Row> {
  const failures: RegiError[] = [];
  for (const item of items) {
    try {
      yield await work(item);
    } catch (error) {
      signal.throwIfAborted();
      // Ctrl-C at a prompt aborts no signal, and ends the whole command.
      if (!(error instanceof RegiError) || error.code === 'INTERRUPTED' || items.length === 1)
        throw error;
      failures.push(error);
      onEvent({ kind: 'failed', image: item.text, error });
    }
  }
  if (failures.length > 0) throw someFailedError(failures, items.length);
}
