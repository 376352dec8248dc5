import type { HttpHeaders } from '../http/message.ts';
import { algorithmOf, isDigest, parseDigest, type Digest } from '../oci/digest.ts';
import { invalidResponse } from './errors.ts';
import type { RegistryResponse } from './connection.ts';

/**
 * The digest of an answer's content as the registry states it; undefined when it does not.
 *
 * @throws {InvalidResponseError} when it is malformed: a registry that sends nonsense there is not believed elsewhere.
 */
export function statedDigest(action: string, response: RegistryResponse): Digest | undefined {
  const text = response.headers.get('docker-content-digest')?.trim() ?? '';
  if (text === '') return undefined;
  if (!isDigest(text))
    throw invalidResponse(action, response, 'expected a digest in Docker-Content-Digest');
  return parseDigest(text);
}

/**
 * The size of an answer's content as its head states it, in bytes; undefined when it does not, or when a proxy compressed the
 * body and the number is of something else.
 */
export function statedSize(headers: HttpHeaders): number | undefined {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  const text = headers.get('content-length')?.trim() ?? '';
  if ((encoding !== '' && encoding !== 'identity') || !/^\d{1,16}$/.test(text)) return undefined;
  const size = Number(text);
  return Number.isSafeInteger(size) ? size : undefined;
}

/**
 * Whether two digests contradict each other. Those of different algorithms do not: distribution answers a push by sha512 with
 * the sha256 of the same content.
 */
export function contradicts(a: Digest, b: Digest): boolean {
  return a !== b && algorithmOf(a) === algorithmOf(b);
}
