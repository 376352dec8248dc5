import { withoutFirst } from '../bytes.ts';
import { discard } from '../http/body.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes } from '../store.ts';
import { statedSize } from './answer-headers.ts';
import type { RegistryResponse } from './connection.ts';
import { parseContentRange } from './content-range.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';

/** What asks for the bytes from `position` on; nothing for the whole, because a range of all confuses some caches. */
export function rangeFrom(position: number): Readonly<Record<string, string>> | undefined {
  return position > 0 ? { range: `bytes=${position}-` } : undefined;
}

/**
 * The bytes of an answer from `position` on, whether the server honoured the range or sent all. Not verified.
 *
 * @throws {InvalidResponseError} when it sent something else.
 */
export async function bodyFrom(action: string, response: RegistryResponse, target: Descriptor, position: number): Promise<Bytes> {
  if (response.status !== 200 && response.status !== 206) throw await responseError(action, response);
  if (isWebPage(response) && statedSize(response.headers) !== target.size) {
    await discard(response);
    throw invalidResponse(action, response, 'expected a blob');
  }
  // The server ignored the range and sends all of it again.
  if (response.status === 200) return withoutFirst(response.body, position);
  const range = parseContentRange(response.headers.get('content-range'));
  if (range?.start === position && (range.total ?? target.size) === target.size) return response.body;
  await discard(response);
  throw invalidResponse(action, response, `expected the range from byte ${position} of ${target.size}`);
}
