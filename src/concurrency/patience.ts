import type { Clock } from '../clock.ts';
import type { Turn } from './admissions.ts';

export interface PatienceOptions {
  readonly clock: Clock;
  /** Failures in a row that are tolerated. */
  readonly retries: number;
  readonly signal?: AbortSignal | undefined;
  /** Set where a host limits requests: see `Admissions`. */
  readonly turn?: Turn | undefined;
  /** Set for a transfer, whose progress restores the patience. Bytes. */
  readonly transfer?: { readonly size: number; readonly offset: number } | undefined;
}

export interface Failure {
  /** The wait that the server asks for. Milliseconds. */
  readonly askedMs?: number | undefined;
  /** The server refused because it gets too many requests. */
  readonly isRateLimit?: boolean | undefined;
}

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 30_000;

/**
 * Decides when one piece of work is tried again, and when no more: counts its failures and backs
 * off. Every loop that repeats requests uses it.
 */
export class Patience {
  readonly #options: PatienceOptions;
  #failures = 0;
  /** Position in the transfer at which earlier failures are forgotten. */
  #refillAt: number;

  constructor(options: PatienceOptions) {
    this.#options = options;
    const { size, offset } = options.transfer ?? { size: 0, offset: Number.POSITIVE_INFINITY };
    this.#refillAt = offset + refillBytes(size);
  }

  /**
   * Repeats `task` until it succeeds.
   *
   * @param isWorthRetry called with each error.
   * @throws the error that is not worth a retry, or the last one; the signal's reason when it
   *   aborts.
   */
  async run<T>(task: () => Promise<T>, isWorthRetry: (error: unknown) => boolean): Promise<T> {
    for (;;) {
      try {
        return await task();
      } catch (error) {
        this.#options.signal?.throwIfAborted();
        if (!isWorthRetry(error) || !(await this.again())) throw error;
      }
    }
  }

  /** Counts a failure and waits. Returns false, without a wait, when no retry is left. */
  async again(failure?: Failure): Promise<boolean> {
    const delayMs = this.failed(failure);
    if (delayMs !== undefined) await this.wait(delayMs);
    return delayMs !== undefined;
  }

  /**
   * Counts a failure, unless it is a rate limit and other requests get through.
   *
   * @returns milliseconds to wait before the next attempt; undefined when no retry is left.
   */
  failed({ askedMs, isRateLimit = false }: Failure = {}): number | undefined {
    const { clock, retries, turn } = this.#options;
    const isCrowded = isRateLimit && retries > 0 && turn?.isMoving() === true;
    if (!isCrowded) this.#failures += 1;
    if (this.#failures > retries) return undefined;
    return askedMs ?? backoffMs(Math.max(0, this.#failures - 1), clock);
  }

  async wait(delayMs: number): Promise<void> {
    await this.#options.clock.sleep(delayMs, this.#options.signal);
  }

  /**
   * Forgets earlier failures after enough progress, so that a long transfer over a bad line ends
   * well. A trickle is not enough, or a peer could hold us for ever.
   *
   * @param position bytes that have arrived.
   */
  reached(position: number): void {
    if (position < this.#refillAt) return;
    this.#failures = 0;
    this.#refillAt = position + refillBytes(this.#options.transfer?.size ?? 0);
  }
}

/**
 * Returns the wait before retry `attempt` (from 0) in milliseconds: doubling from half a second to
 * 30 s, of which up to half is random, so that many clients do not return at the same moment.
 */
export function backoffMs(attempt: number, clock: Clock): number {
  const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
  return Math.round(longest / 2 + (clock.random() * longest) / 2);
}

/**
 * Returns the progress that restores the patience: a sixteenth of the content, at most 64 KiB. The
 * number of requests for one content stays bounded either way.
 */
function refillBytes(size: number): number {
  return Math.min(64 * 1024, Math.max(1, Math.ceil(size / 16)));
}
