import type { Clock } from '../../clock.ts';
import type { Bytes, Store } from '../../store.ts';
import { decorate } from './decorate.ts';

/** The same store, read no faster than `limit` allows. Stores that are given one limit share its rate. */
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

/** A rate shared by all who take from it, first come, first served. */
export interface RateLimit {
  /** The most bytes that one `take` should ask for, so that nobody waits long behind another. */
  readonly pieceBytes: number;
  /** Resolves when `bytes` more may pass. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** A piece is a tenth of a second: fair between many blobs, and few timers. */
const PIECES_PER_SECOND = 10;

/** Timers are no finer; a shorter wait is left as a debt to the next. */
const SHORTEST_WAIT_MS = 1;

/**
 * Makes a limit of `bytesPerSecond` over everything that takes from it.
 *
 * Each taker books the time its bytes need behind all earlier ones and waits until its turn, so that order is kept without a
 * queue. An idle second is not saved up.
 */
export function createRateLimit(bytesPerSecond: number, clock: Clock): RateLimit {
  let freeAt = clock.now();
  let last = freeAt;
  return {
    pieceBytes: Math.max(1, Math.floor(bytesPerSecond / PIECES_PER_SECOND)),
    async take(bytes, signal) {
      const now = clock.now();
      // A clock set back would otherwise make everyone wait for as long as it was set back.
      if (now < last) freeAt -= last - now;
      last = now;
      const turn = Math.max(now, freeAt);
      freeAt = turn + (bytes / bytesPerSecond) * 1000;
      const wait = freeAt - now;
      if (wait >= SHORTEST_WAIT_MS) await clock.sleep(wait, signal);
    },
  };
}
