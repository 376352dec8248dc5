import type { Clock } from '../../clock.ts';
import type { Bytes, Store } from '../../store.ts';
import { decorate } from './decorate.ts';

/** Makes a store that is read no faster than `limit` allows. Stores of one limit share its rate. */
export function throttled(store: Store, limit: RateLimit): Store {
  return decorate(store, {
    fetch: (target, options) => slowed(store.fetch(target, options), limit, options?.signal),
  });
}

function slowed(content: Bytes, limit: RateLimit, signal: AbortSignal | undefined): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of content) {
        for (let offset = 0; offset < chunk.byteLength; offset += limit.pieceBytes) {
          const piece = chunk.subarray(offset, offset + limit.pieceBytes);
          await limit.take(piece.byteLength, signal);
          yield piece;
        }
      }
    },
  };
}

/** A rate that several readers share, in the order of their calls. */
export interface RateLimit {
  /** The most bytes of one `take`, so that no reader waits long behind another. */
  readonly pieceBytes: number;
  /** Resolves when `bytes` more may pass. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** A piece is a tenth of a second: fair between many blobs, and few timers. */
const PIECES_PER_SECOND = 10;

/** Timers are no finer; a shorter wait is added to the next one. */
const SHORTEST_WAIT_MS = 1;

/**
 * Makes a limit of `bytesPerSecond` over all its readers.
 *
 * Each call reserves the time that its bytes need after all earlier calls, and waits for it, so
 * that order is kept without a queue. Idle time is not saved up.
 */
export function createRateLimit(bytesPerSecond: number, clock: Clock): RateLimit {
  let freeAt = clock.now();
  let last = freeAt;
  return {
    pieceBytes: Math.max(1, Math.floor(bytesPerSecond / PIECES_PER_SECOND)),
    async take(bytes, signal) {
      const now = clock.now();
      // Otherwise a clock that is set back would make every reader wait for that long.
      if (now < last) freeAt -= last - now;
      last = now;
      const turn = Math.max(now, freeAt);
      freeAt = turn + (bytes / bytesPerSecond) * 1000;
      const wait = freeAt - now;
      if (wait >= SHORTEST_WAIT_MS) await clock.sleep(wait, signal);
    },
  };
}
