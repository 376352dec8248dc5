import { withoutFirst } from '../bytes.ts';
import { discard } from '../http/body.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes } from '../store.ts';
import { statedSize } from './answer-headers.ts';
import type { RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';

/** What asks for the bytes from `position` on; nothing for the whole, because a range of all confuses some caches. */
export function rangeFrom(position: number): Readonly<Record<string, string>> | undefined {
  return position > 0 ? { range: `bytes=${position}-` } : undefined;
}

/**
 * Whether a server answers a range with something that cannot be gone on with: some caches refuse ranges, or send the wrong one, of what they
 * give as a whole.
 */
export function isRangeUnusable(
  response: RegistryResponse,
  target: Descriptor,
  position: number,
): boolean {
  return (
    response.status === 416 || (response.status === 206 && !isRange(response, target, position))
  );
}

/**
 * The bytes of an answer from `position` on, whether the server honoured the range or sent all. Not verified.
 *
 * @throws {InvalidResponseError} when it sent something else.
 */
export async function bodyFrom(
  action: string,
  response: RegistryResponse,
  target: Descriptor,
  position: number,
): Promise<Bytes> {
  if (response.status !== 200 && response.status !== 206)
    throw await responseError(action, response);
  if (isWebPage(response) && statedSize(response.headers) !== target.size) {
    await discard(response);
    throw invalidResponse(action, response, 'expected a blob');
  }
  // The server ignored the range and sends all of it again.
  if (response.status === 200) return withoutFirst(response.body, position);
  if (isRange(response, target, position)) return response.body;
  await discard(response);
  throw invalidResponse(
    action,
    response,
    `expected the range from byte ${position} of ${target.size}`,
  );
}

function isRange(response: RegistryResponse, target: Descriptor, position: number): boolean {
  const range = parseContentRange(response.headers.get('content-range'));
  return range?.start === position && (range.total ?? target.size) === target.size;
}

/** What a 206 carries. */
export interface ContentRange {
  /** First byte, from 0. */
  readonly start: number;
  /** Size of the whole; undefined when the server does not know. Bytes. */
  readonly total: number | undefined;
}

/**
 * Parses the `Content-Range` of a 206 answer; undefined when it is malformed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.4
 */
export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^\s*bytes\s+(\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)\s*$/i.exec(text ?? '');
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  const total = match[3] === '*' ? undefined : Number(match[3]);
  const isSound = Number.isSafeInteger(end) && start <= end && (total === undefined || end < total);
  return isSound ? { start, total } : undefined;
}
