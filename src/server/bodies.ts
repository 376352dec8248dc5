import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Bytes } from '../store.ts';
import type { CallResponse, RequestBody } from './exchange.ts';

/**
 * Makes `Bytes` of the body of a request.
 *
 * @param onRead called before the first byte is requested: the moment to respond to `Expect:
 *   100-continue`.
 */
export function bodyOf(request: IncomingMessage, onRead: () => void): RequestBody {
  return {
    length: lengthOf(request),
    content: {
      async *[Symbol.asyncIterator]() {
        onRead();
        yield* chunksOf(request);
      },
    },
  };
}

/** True if a part of the request's body is still to come. */
export function isUnread(request: IncomingMessage): boolean {
  return !request.complete && lengthOf(request) !== 0;
}

/**
 * Reads and drops the rest of a request, up to `limit` bytes.
 *
 * @returns false when the connection cannot be reused, because more bytes came or the client
 *   disconnected.
 */
export async function drain(request: IncomingMessage, limit: number): Promise<boolean> {
  let left = limit;
  try {
    for await (const chunk of chunksOf(request)) {
      left -= chunk.byteLength;
      if (left < 0) return false;
    }
    return true;
  } catch {
    // The rest is dropped anyway, so a client that disconnects here loses nothing.
    return false;
  }
}

/** Leaving the loop does not close the socket: a refusal is still sent over it. */
function chunksOf(request: IncomingMessage): AsyncIterable<Uint8Array> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}

function lengthOf({ headers }: IncomingMessage): number | undefined {
  if (headers['transfer-encoding'] !== undefined) return undefined;
  // Node's parser has refused anything but digits.
  const length = Number(headers['content-length'] ?? 0);
  return Number.isSafeInteger(length) ? length : undefined;
}

/**
 * Sends a response to its end.
 *
 * @throws what reading the body throws; the connection is cut first, so that the client cannot take
 *   a part for the whole.
 */
export async function sendResponse(
  response: ServerResponse,
  sent: CallResponse,
  { head }: { readonly head: boolean },
): Promise<void> {
  const { status, headers, body } = sent;
  const size = body === undefined ? 0 : body instanceof Uint8Array ? body.byteLength : body.size;
  // A 204 or 304 has no length (RFC 9110 §8.6).
  const length = status === 204 || status === 304 ? {} : { 'content-length': size };
  response.writeHead(status, { ...mutable(headers), ...length });
  if (head || body === undefined) return finish(response);
  if (body instanceof Uint8Array) return finish(response, body);
  try {
    await sendContent(response, body.content, size);
  } catch (error) {
    response.destroy();
    throw error;
  }
  return finish(response);
}

/**
 * Writes each chunk only when the previous one has left this process: a chunk is borrowed, and its
 * memory is reused for the next. So the store reads at the pace of the client, and memory stays
 * flat.
 */
async function sendContent(response: ServerResponse, content: Bytes, size: number): Promise<void> {
  let left = size;
  const connection = watchClose(response);
  try {
    for await (const chunk of content) {
      if (chunk.byteLength === 0) continue;
      left -= chunk.byteLength;
      if (left < 0) throw new Error(`Stored content is longer than its ${size} bytes`);
      await connection.until((done) => response.write(chunk, done));
    }
  } finally {
    connection.stop();
  }
  if (left > 0) throw new Error(`Stored content ended ${left} bytes before its ${size}`);
}

interface Watch {
  /** Waits for the callback, or for the connection to close, after which Node may never call it. */
  until(start: (done: (error?: Error | null) => void) => void): Promise<void>;
  stop(): void;
}

function watchClose(response: ServerResponse): Watch {
  let fail: ((error: Error) => void) | undefined;
  const onClose = (): void => fail?.(closedError());
  response.once('close', onClose);
  return {
    until: (start) =>
      new Promise((resolve, reject) => {
        if (response.destroyed) throw closedError();
        fail = reject;
        start((error) => (error ? reject(error) : resolve()));
      }),
    stop: () => response.off('close', onClose),
  };
}

function finish(response: ServerResponse, body?: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) throw closedError();
    response.once('close', () => (response.writableFinished ? resolve() : reject(closedError())));
    response.end(body, () => resolve());
  });
}

function closedError(): Error {
  return Object.assign(new Error('Connection closed by the client'), { code: 'ECONNRESET' });
}

function mutable(headers: CallResponse['headers']): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : [...value],
    ]),
  );
}
