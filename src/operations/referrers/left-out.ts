import { RegiError, type ErrorCode } from '../../errors.ts';
import { formatCount } from '../../format.ts';
import { quote } from '../../quote.ts';
import { PullsKeptError } from '../../registry/pull-quota.ts';
import type { OnEvent } from '../copy/events.ts';

/**
 * Collects what failed among the referrers of an image. They are left out, and do not stop the
 * image.
 */
export class LeftOutReferrers {
  readonly #failures: RegiError[] = [];

  /**
   * Runs the task of one referrer, or of one list of them. Returns undefined when it failed.
   *
   * @throws the signal's reason when it has aborted, what is no `RegiError`, and a pull that was
   *   not sent: the whole image is then for later.
   */
  async attempt<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T | undefined> {
    try {
      return await task();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RegiError) || error instanceof PullsKeptError) throw error;
      this.#failures.push(error);
      return undefined;
    }
  }

  /** The first failure; undefined when nothing failed. */
  get first(): RegiError | undefined {
    return this.#failures[0];
  }

  /** Emits one warning for each kind of failure, and returns how many failures there were. */
  report(image: string, onEvent: OnEvent): number {
    const counts = new Map<ErrorCode, number>();
    for (const { code } of this.#failures) counts.set(code, (counts.get(code) ?? 0) + 1);
    for (const [code, count] of counts) {
      const first = this.#failures.find((failure) => failure.code === code);
      const more = count === 1 ? '' : `, and ${count - 1} more`;
      onEvent({
        kind: 'warning',
        message: `Referrers of ${quote(image)} were left out: ${first?.message}${more}`,
        hint: first?.hint,
      });
    }
    return this.#failures.length;
  }
}

/** @throws {RegiError} PARTIAL_FAILURE when referrers of the images were left out. */
export function checkNoneLeftOut(images: readonly { readonly leftOut: number }[]): void {
  const lacking = images.filter(({ leftOut }) => leftOut > 0);
  if (lacking.length > 0) throw leftOutError(lacking.length);
}

/** @param images images that lack some of their referrers. */
export function leftOutError(images: number): RegiError {
  return new RegiError(
    'PARTIAL_FAILURE',
    `Cannot finish: referrers of ${formatCount(images, 'image')} were left out`,
    { hint: 'the images themselves are complete; run the same command again for their referrers' },
  );
}
