import { isPrivateAddress } from '../http/address.ts';
import type { HttpResponse } from '../http/message.ts';

/** Where an upload goes on. */
export interface UploadPlace {
  readonly url: URL;
  readonly reach: 'any' | 'public';
}

/**
 * Reads the Location of an upload; undefined when nothing may be sent there. It may be relative, and on another host, which gets
 * no credentials.
 *
 * Registries behind a proxy that ends TLS name themselves by http: their own https origin is meant. To other hosts the bytes go by
 * http only where the registry itself is reached so, and from a public registry never into our own network.
 *
 * @param origin of the registry.
 * @throws {TypeError} when it is no URL.
 */
export function uploadPlace(text: string, response: HttpResponse, origin: string): UploadPlace | undefined {
  const own = new URL(origin);
  const url = new URL(text, response.url);
  if (url.username !== '' || url.password !== '' || (url.protocol !== 'https:' && url.protocol !== 'http:')) return undefined;
  if (url.protocol === 'http:' && own.protocol === 'https:') {
    return url.hostname === own.hostname ? { url: new URL(`${url.pathname}${url.search}`, own), reach: 'any' } : undefined;
  }
  const isPublic = response.remoteAddress !== undefined && !isPrivateAddress(response.remoteAddress);
  return { url, reach: url.origin !== own.origin && isPublic ? 'public' : 'any' };
}
