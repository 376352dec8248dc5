import type { IncomingMessage } from 'node:http';

import type { RequestBody } from './exchange.ts';

/**
 * The body of a request as `Bytes`.
 *
 * @param onRead runs before the first byte is asked for: the moment to answer `Expect: 100-continue`.
 */
export function bodyOf(request: IncomingMessage, onRead: () => void): RequestBody {
  return {
    length: lengthOf(request),
    content: {
      async *[Symbol.asyncIterator]() {
        onRead();
        // Leaving the loop must not close the socket: a refusal still has to be sent over it.
        yield* request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
      },
    },
  };
}

/** Whether a request still has to send some of its body. */
export function isUnread(request: IncomingMessage): boolean {
  return !request.complete && lengthOf(request) !== 0;
}

/**
 * Reads what a request still sends and forgets it: at most `limit` bytes.
 *
 * @returns false when the connection cannot be used again, because more came or the client is gone.
 */
export async function drain(request: IncomingMessage, limit: number): Promise<boolean> {
  let left = limit;
  try {
    for await (const chunk of request.iterator({
      destroyOnReturn: false,
    }) as AsyncIterable<Uint8Array>) {
      left -= chunk.byteLength;
      if (left < 0) return false;
    }
    return true;
  } catch {
    // A client that hangs up in what nobody wants to read has lost nothing.
    return false;
  }
}

function lengthOf({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  // Node's parser has refused anything but digits.
  const length = Number(headers['content-length'] ?? 0);
  return Number.isSafeInteger(length) ? length : undefined;
}
