import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { TLSSocket, type DetailedPeerCertificate } from 'node:tls';

import { printable } from '../redact.ts';
import type { CallOptions } from '../store.ts';
import { hostNameOf } from './address.ts';
import { openSocket, type Target } from './connector.ts';
import { connectError, TimeoutError } from './errors.ts';

/** The identity of a server. Its texts are its own, made printable. */
export interface TlsFacts {
  /** `TLSv1.3`. */
  readonly protocol: string;
  /** Names of the certificates, from the server's own up. */
  readonly chain: readonly string[];
  /** End of the server's own certificate, in milliseconds since 1970; undefined without one. */
  readonly expiresAt: number | undefined;
  /**
   * Why it would not be trusted, for a connection without verification; undefined when it is
   * trusted.
   */
  readonly distrust: string | undefined;
}

/** Longer than any real chain. */
const CHAIN_LENGTH = 10;

/**
 * Resolves the host of a URL to its addresses.
 *
 * @throws {NetworkError} when there are none.
 * @throws {TimeoutError} when no name server responds within `timeoutMs`.
 */
export function resolveName(
  url: URL,
  lookup: LookupFunction = systemLookup,
  timeoutMs: number,
  { signal }: CallOptions = {},
): Promise<readonly string[]> {
  const name = hostNameOf(url);
  if (isIP(name) !== 0) return Promise.resolve([name]);
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      end();
    };
    const onAbort = (): void => settle(() => reject(signal?.reason));
    const timer = setTimeout(() => {
      const message = `Cannot resolve "${name}": no response within ${timeoutMs / 1000} s`;
      const hint = 'check the network connection and the name server';
      settle(() => reject(new TimeoutError(message, 'connect', { hint })));
    }, timeoutMs).unref();
    if (signal?.aborted === true) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    lookup(name, { all: true }, (error, found) => {
      if (error !== null) return settle(() => reject(connectError(url, error)));
      settle(() =>
        resolve(typeof found === 'string' ? [found] : found.map(({ address }) => address)),
      );
    });
  });
}

/**
 * Connects, reads the server's identity over https, and closes the connection again.
 *
 * @returns undefined over plain http.
 * @throws {NetworkError | TlsError | TimeoutError | ProxyError} as the transport does.
 */
export async function probeConnection(
  target: Target,
  options: CallOptions = {},
): Promise<TlsFacts | undefined> {
  const socket = await dial(target, options);
  try {
    return socket instanceof TLSSocket && target.origin.protocol === 'https:'
      ? factsOf(socket)
      : undefined;
  } finally {
    socket.on('error', () => undefined).destroy();
  }
}

function dial(target: Target, { signal }: CallOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason);
    const onAbort = (): void => opening.destroy();
    const opening = openSocket(target, (error, socket) => {
      signal?.removeEventListener('abort', onAbort);
      if (signal?.aborted === true) {
        socket?.destroy();
        reject(signal.reason);
      } else if (socket === undefined) reject(error ?? new Error('No socket and no error'));
      else resolve(socket);
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function factsOf(socket: TLSSocket): TlsFacts {
  const certificate = socket.getPeerCertificate(true);
  const expiresAt = Date.parse(certificate.valid_to);
  const { authorizationError } = socket;
  return {
    protocol: socket.getProtocol() ?? 'TLS',
    chain: chainOf(certificate),
    expiresAt: Number.isNaN(expiresAt) ? undefined : expiresAt,
    // Without verification it holds the name of the fault: DEPTH_ZERO_SELF_SIGNED_CERT.
    distrust:
      socket.authorized || !authorizationError
        ? undefined
        : printable(String(authorizationError), 100),
  };
}

/**
 * Names the certificates of a chain. The root is its own issuer; an issuer that neither the server
 * nor this machine has is marked, because it is the gap to be closed.
 */
function chainOf(certificate: DetailedPeerCertificate): readonly string[] {
  const names: string[] = [];
  const seen = new Set<string>();
  let last = certificate;
  let current: DetailedPeerCertificate | undefined = certificate;
  while (
    current !== undefined &&
    names.length < CHAIN_LENGTH &&
    !seen.has(current.fingerprint256)
  ) {
    seen.add(current.fingerprint256);
    names.push(nameOf(current.subject));
    last = current;
    current = current.issuerCertificate;
  }
  const isRoot = JSON.stringify(last.issuer) === JSON.stringify(last.subject);
  return isRoot || names.length === CHAIN_LENGTH
    ? names
    : [...names, `${nameOf(last.issuer)} (unknown here)`];
}

/** Node's types promise both parties, but an empty certificate has none. */
function nameOf(party: Partial<DetailedPeerCertificate['subject']> | undefined): string {
  const named: unknown = party?.CN ?? party?.O ?? party?.OU;
  return printable(
    Array.isArray(named)
      ? named.join(', ')
      : typeof named === 'string'
        ? named
        : 'a certificate without a name',
    100,
  );
}
