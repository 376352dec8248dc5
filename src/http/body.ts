import { collect, LimitExceededError } from '../bytes.ts';
import { LIMITS } from '../limits.ts';
import type { HttpResponse } from './message.ts';

/** How long a body that nobody wants may take to end before its connection is given up. Milliseconds. */
const DISCARD_TIMEOUT_MS = 1000;

/**
 * Reads a whole body into memory, copied.
 *
 * @param what names the body in the message: `the token of "auth.example"`.
 * @throws {LimitExceededError} when the body has, or says that it has, more than `limit` bytes.
 */
export async function readAtMost(
  response: HttpResponse,
  limit: number,
  what: string,
): Promise<Uint8Array> {
  const size = contentLength(response);
  if (size !== undefined && size > limit) {
    await discard(response);
    throw new LimitExceededError(
      `Cannot read ${what}: expected at most ${limit} bytes, found ${size}`,
    );
  }
  return collect(response.body, limit, what);
}

/**
 * Gets rid of a body that is not wanted. A short one is read, so that its connection can be used again; the connection of any
 * other is closed. Never throws: the answer's status and headers were all that mattered.
 */
export async function discard(response: HttpResponse): Promise<void> {
  const body = response.body[Symbol.asyncIterator]();
  const leave = (): void => void body.return?.().catch(ignore);
  if ((contentLength(response) ?? 0) > LIMITS.discardBytes) return leave();
  const timer = setTimeout(leave, DISCARD_TIMEOUT_MS);
  try {
    let left: number = LIMITS.discardBytes;
    for (let step = await body.next(); step.done !== true && left > 0; step = await body.next())
      left -= step.value.byteLength;
  } catch {
    // A cut or stalled body has closed its connection itself.
  } finally {
    clearTimeout(timer);
    leave();
  }
}

/** What Content-Length says; undefined when it is absent or no number. */
export function contentLength(response: HttpResponse): number | undefined {
  const text = response.headers.get('content-length');
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}

function ignore(): void {}
