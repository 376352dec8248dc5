import type { ServerResponse } from 'node:http';

import type { Bytes } from '../store.ts';
import type { Answer } from './exchange.ts';

/** A stored content that is longer or shorter than its descriptor says. The connection is cut: the head is already sent. */
class WrongLengthError extends Error {}

/**
 * Sends an answer to its end.
 *
 * @throws what reading the body throws, with the connection cut so that the client cannot take the part for the whole.
 */
export async function sendAnswer(
  response: ServerResponse,
  answer: Answer,
  { head }: { readonly head: boolean },
): Promise<void> {
  const { status, headers, body } = answer;
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
 * Writes chunk after chunk, each only when the one before has left this process: a chunk is borrowed and its memory is used
 * again for the next. So the client's pace is also the store's, and memory stays flat.
 */
async function sendContent(response: ServerResponse, content: Bytes, size: number): Promise<void> {
  let left = size;
  const connection = watchClose(response);
  try {
    for await (const chunk of content) {
      if (chunk.byteLength === 0) continue;
      left -= chunk.byteLength;
      if (left < 0) throw new WrongLengthError(`Content has more than its ${size} bytes`);
      await connection.until((done) => response.write(chunk, done));
    }
  } finally {
    connection.stop();
  }
  if (left > 0) throw new WrongLengthError(`Content ended ${left} bytes before its ${size}`);
}

interface Watch {
  /** Waits for the callback, or for the connection to close: then Node may never call it. */
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

function mutable(headers: Answer['headers']): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : [...value],
    ]),
  );
}
