import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { TLSSocket, type DetailedPeerCertificate } from 'node:tls';

import { printable } from '../redact.ts';
import { openSocket, type Target } from './connector.ts';
import { connectError, TimeoutError } from './errors.ts';

export interface ProbeOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What a server showed of itself. Its texts are its own, made printable. */
export interface TlsFacts {
  /** `TLSv1.3`. */
  readonly protocol: string;
  /** From the server's own certificate up. */
  readonly chain: readonly string[];
  /** When the server's own certificate ends. Milliseconds since 1970; undefined when it does not say. */
  readonly expiresAt: number | undefined;
  /** Why it would not be trusted, where nobody asked; undefined when it is. */
  readonly distrust: string | undefined;
}

/** More than any real chain has. */
const CHAIN_LENGTH = 10;

/**
 * The addresses behind the name of a URL's host.
 *
 * @throws {NetworkError} when there are none.
 * @throws {TimeoutError} when nobody knows within `timeoutMs`.
 */
export function resolveName(
  url: URL,
  lookup: LookupFunction = systemLookup,
  timeoutMs: number,
  { signal }: ProbeOptions = {},
): Promise<readonly string[]> {
  const name = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(name) !== 0) return Promise.resolve([name]);
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      end();
    };
    const onAbort = (): void => settle(() => reject(signal?.reason));
    const timer = setTimeout(() => {
      const message = `Cannot resolve "${name}": no answer within ${timeoutMs / 1000} s`;
      settle(() =>
        reject(
          new TimeoutError(
            message,
            { host: url.host, phase: 'connect', timeoutMs },
            { hint: 'check the network connection and the name server' },
          ),
        ),
      );
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
 * Connects, and closes the connection again. Over https the server is looked at before.
 *
 * @returns undefined over plain http.
 * @throws {NetworkError | TlsError | TimeoutError | ProxyError} as the transport does.
 */
export async function probeConnection(
  target: Target,
  options: ProbeOptions = {},
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

function dial(target: Target, { signal }: ProbeOptions): Promise<Socket> {
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
    // Without verification it is set to the name of the fault: DEPTH_ZERO_SELF_SIGNED_CERT.
    distrust:
      socket.authorized || !authorizationError
        ? undefined
        : printable(String(authorizationError), 100),
  };
}

/** The root names itself as its issuer. An issuer that the server does not show, and that this machine does not have, is the gap to be closed. */
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

/** The types say that both are always there; of an empty certificate they are not. */
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
