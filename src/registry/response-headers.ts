import { RegiError } from '../errors.ts';
import type { HttpHeaders } from '../http/message.ts';
import { algorithmOf, isDigest, type Digest } from '../oci/digest.ts';
import { invalidResponse } from './errors.ts';
import type { RegistryResponse } from './connection.ts';

/**
 * Reads the digest of the content that a response states; undefined without one.
 *
 * @throws {RegistryResponseError} with code INVALID_RESPONSE when it is malformed: such a registry
 *   is not trusted elsewhere.
 */
export function statedDigest(action: string, response: RegistryResponse): Digest | undefined {
  const text = response.headers.get('docker-content-digest')?.trim() ?? '';
  if (text === '') return undefined;
  if (isDigest(text)) return text;
  throw invalidResponse(action, response, 'expected a digest in Docker-Content-Digest');
}

/**
 * Reads the size of the content that a response states, in bytes; undefined without one, or when a
 * proxy compressed the body.
 */
export function statedSize(headers: HttpHeaders): number | undefined {
  const encoding = headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  const text = headers.get('content-length')?.trim() ?? '';
  if ((encoding !== '' && encoding !== 'identity') || !/^\d{1,16}$/.test(text)) return undefined;
  const size = Number(text);
  return Number.isSafeInteger(size) ? size : undefined;
}

/**
 * Compares the digest of a response with the expected one. Digests of different algorithms do not
 * contradict each other: distribution responds to a push by sha512 with the sha256 of the same
 * content.
 *
 * @throws {RegiError} with code CONTENT_MISMATCH when the registry has other bytes under this name.
 */
export function checkDigest(action: string, expected: Digest, found: Digest | undefined): void {
  if (found === undefined || found === expected || algorithmOf(found) !== algorithmOf(expected))
    return;
  throw new RegiError('CONTENT_MISMATCH', `${action}: expected ${expected}, found ${found}`, {
    hint: 'the registry, or a proxy before it, changes its content; do not use this image',
  });
}
