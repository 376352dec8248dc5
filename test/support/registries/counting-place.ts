import { ConnectionCut } from '../../../src/server/handler.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import type { Bytes, Place } from '../../../src/store.ts';

export interface CountingPlace extends Place {
  /** Bytes of blobs and manifests read from it since the start or the last `forget()`. */
  readonly bytes: () => number;
  readonly forget: () => void;
  /**
   * Calls `strike` when exactly this many bytes have been read, and then gives no more bytes until
   * `forget()`.
   */
  readonly strikeAt: (bytes: number, strike: () => void) => void;
}

/**
 * A place that counts the bytes read from it, so that a test can kill a reader at any byte, without
 * a clock.
 */
export function countingPlace(inner: Place): CountingPlace {
  let bytes = 0;
  let limit = Number.POSITIVE_INFINITY;
  let onLimit = (): void => {};

  const counted = (content: Bytes): Bytes => ({
    async *[Symbol.asyncIterator]() {
      for await (const chunk of content) {
        const room = limit - bytes;
        if (room <= 0) throw new ConnectionCut('Struck');
        const piece = chunk.subarray(0, Math.min(chunk.byteLength, room));
        bytes += piece.byteLength;
        yield piece;
        if (bytes < limit) continue;
        onLimit();
        throw new ConnectionCut('Struck');
      }
    },
  });

  return {
    name: inner.name,
    repositories: (options) => inner.repositories(options),
    open(repository) {
      const store = inner.open(repository);
      return decorate(store, { fetch: (target, options) => counted(store.fetch(target, options)) });
    },
    bytes: () => bytes,
    forget: () => {
      [bytes, limit] = [0, Number.POSITIVE_INFINITY];
    },
    strikeAt: (at, strike) => {
      [bytes, limit, onLimit] = [0, at, strike];
    },
  };
}
