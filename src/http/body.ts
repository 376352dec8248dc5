import { bytesOf, collect, LimitExceededError } from '../bytes.ts';
import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { HttpResponse } from './message.ts';

/** Time for an unwanted body to end before its connection is given up. Milliseconds. */
const DISCARD_TIMEOUT_MS = 1000;

/**
 * Reads a whole body into memory, copied.
 *
 * @param what names the body in the message: `the token of "auth.example"`.
 * @throws {LimitExceededError} when the body has, or announces, more than `limit` bytes.
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
 * Reads the start of a body, up to the bound of error bodies, and closes it. A body that breaks is
 * only shorter: the head has said what matters.
 *
 * @throws the signal's reason when it aborts.
 */
export async function readStart(response: HttpResponse, signal?: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let room: number = LIMITS.errorBytes;
  try {
    for await (const chunk of response.body) {
      chunks.push(new Uint8Array(chunk.subarray(0, room)));
      room -= chunk.byteLength;
      if (room <= 0) break;
    }
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof RegiError)) throw error;
  }
  return Buffer.concat(chunks);
}

/**
 * Moves the start of an error body into memory, which frees its connection for other requests.
 *
 * @throws the signal's reason when it aborts.
 */
export async function settle(
  response: HttpResponse,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  return { ...response, body: bytesOf(await readStart(response, signal)) };
}

/**
 * Discards an unwanted body. A short one is read, so that its connection can be used again; any
 * other connection is closed. Never throws: status and headers were all that mattered.
 */
export async function discard(response: HttpResponse): Promise<void> {
  const body = response.body[Symbol.asyncIterator]();
  const leave = (): void => void body.return?.().catch(() => undefined);
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

/** The value of Content-Length; undefined when it is absent or no number. */
export function contentLength(response: HttpResponse): number | undefined {
  const text = response.headers.get('content-length');
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}
