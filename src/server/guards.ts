import { isIP } from 'node:net';

import { quote } from '../quote.ts';
import { RefusedRequestError } from './errors.ts';
import type { Call } from './exchange.ts';

export interface ServedHosts {
  /** The name or address that the server listens on. */
  readonly listenHost?: string | undefined;
  /** Additional names, `host` or `host:port`. */
  readonly allowedHosts?: readonly string[] | undefined;
}

/**
 * Refuses requests that only a browser sends. A web page may reach a registry on this machine
 * through its own name that resolves to 127.0.0.1 (DNS rebinding), so an unknown Host is refused;
 * addresses cannot be rebound. No registry client sends Origin.
 *
 * @throws {RefusedRequestError} with 403 DENIED.
 */
export function guardAgainstBrowsers(call: Call, rules: ServedHosts): void {
  if (call.headers.origin !== undefined)
    throw new RefusedRequestError(
      'DENIED',
      'Cannot accept a request with an Origin header: this registry is not for web pages',
    );
  const host = call.headers.host;
  // Only HTTP/1.0 may omit it, as health checks of load balancers do and no browser does.
  if (host !== undefined && !isKnownHost(host.toLowerCase(), rules)) {
    throw new RefusedRequestError(
      'DENIED',
      `Cannot serve under the name ${quote(host)}: expected an address or an allowed host name`,
    );
  }
}

function isKnownHost(host: string, { listenHost, allowedHosts = [] }: ServedHosts): boolean {
  const name = withoutPort(host);
  if (name === 'localhost' || isIP(name) !== 0) return true;
  const known = [...(listenHost === undefined ? [] : [listenHost]), ...allowedHosts].map((text) =>
    text.toLowerCase(),
  );
  return known.includes(name) || known.includes(host);
}

function withoutPort(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::[0-9]*)?$/.exec(host);
  return bracketed?.[1] ?? host.replace(/:[0-9]*$/, '');
}
