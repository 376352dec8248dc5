import type { Clock } from '../clock.ts';
import { NetworkError, TimeoutError } from './errors.ts';
import { backoffMs, isPassing } from './retry.ts';

export interface AskAgainOptions {
  readonly clock: Clock;
  /** Repetitions, the first attempt not counted. */
  readonly retries: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a request and reads its whole answer; both once more when the connection breaks in the middle of the body. It is for answers that
 * are small enough for memory: there is nothing to go on from. What fails before the body, `retryLayer()` has repeated already.
 *
 * @throws what `ask` throws.
 */
export async function askAgain<T>(ask: () => Promise<T>, { clock, retries, signal }: AskAgainOptions): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt >= retries || !isPassing(error) || !isOfBody(error)) throw error;
    }
    await clock.sleep(backoffMs(attempt, clock), signal);
  }
}

function isOfBody(error: unknown): boolean {
  return (error instanceof NetworkError || error instanceof TimeoutError) && error.phase === 'body';
}
