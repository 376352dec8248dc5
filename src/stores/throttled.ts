import type { Bytes, Store } from '../store.ts';
import { decorate } from './decorate.ts';
import type { RateLimit } from './rate-limit.ts';

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
