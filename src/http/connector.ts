import { lookup as systemLookup } from 'node:dns';
import {
  connect as connectTcp,
  isIP,
  type LookupFunction,
  type OnReadOpts,
  type Socket,
} from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';

import { LIMITS } from '../limits.ts';
import { printable } from '../redact.ts';
import { hostNameOf, isPrivateAddress, portOf } from './address.ts';
import {
  connectError,
  proxyConnectError,
  ProxyError,
  TimeoutError,
  unsafeAddressError,
} from './errors.ts';
import type { Reach } from './message.ts';
import type { ProxyServer } from './proxy.ts';
import type { SlabPool, SlabReader } from './slabs.ts';

/**
 * Where to connect, and how. One per origin and reach; it keeps the last TLS session to make the
 * next handshake cheap.
 */
export interface Target {
  readonly origin: URL;
  readonly reach: Reach;
  readonly lookup?: LookupFunction | undefined;
  readonly timeoutMs: number;
  readonly rejectUnauthorized: boolean;
  /** Undefined for plain http. */
  readonly secureContext: SecureContext | undefined;
  /** The proxy on the way; undefined for a direct connection. */
  readonly proxy?:
    | (ProxyServer & { readonly secureContext: SecureContext | undefined })
    | undefined;
  /** Buffers for large bodies; when absent, Node allocates memory for every read. */
  readonly slabs?: SlabPool | undefined;
  session: Buffer | undefined;
}

/** Called with one of the two. The socket is writable, and over https its server is trusted. */
export type OnConnected = (error: Error | undefined, socket: Socket | undefined) => void;

/** A connection that is opening. */
export interface Opening {
  /** Gives up. */
  destroy(): void;
}

/**
 * Time for each address of a host. Node's default, 250 ms, is too short for distant hosts.
 *
 * @see https://github.com/nodejs/node/issues/54359
 */
const ATTEMPT_TIMEOUT_MS = 1500;

const KEEP_ALIVE_MS = 60_000;

/**
 * Opens a connection; name, TCP, proxy and TLS together take at most `timeoutMs`.
 *
 * Sockets have a high-water mark of 1 for writes. `drain` then means that the kernel has
 * everything, and a borrowed chunk is free again.
 *
 * @param onConnected called exactly once.
 * @param reader reads for the socket, but never into slabs from a tunnel: Node reads its TLS
 *   itself.
 */
export function openSocket(target: Target, onConnected: OnConnected, reader?: SlabReader): Opening {
  const { origin, proxy, timeoutMs } = target;
  const sockets: Socket[] = [];
  const destroy = (reason: Error = new Error('the connection was given up')): void =>
    void sockets.at(-1)?.destroy(reason);
  const timer = setTimeout(() => {
    const through = proxy === undefined ? '' : ` through the proxy "${proxy.url.host}"`;
    const message = `Cannot connect to "${origin.host}"${through}: no connection within ${timeoutMs / 1000} s`;
    destroy(new TimeoutError(message, 'connect', { hint: 'check host, port, proxy and firewall' }));
  }, timeoutMs).unref();
  open(target, sockets, reader).then(
    (socket) => {
      clearTimeout(timer);
      onConnected(undefined, socket);
    },
    (error: unknown) => {
      clearTimeout(timer);
      // Sockets that are given up may still fail, without another listener.
      for (const socket of sockets) socket.on('error', () => undefined).destroy();
      onConnected(connectError(origin, error), undefined);
    },
  );
  return { destroy: () => destroy() };
}

/** @param sockets receives each socket when it starts; the last one is the outermost. */
async function open(
  target: Target,
  sockets: Socket[],
  reader: SlabReader | undefined,
): Promise<Socket> {
  const { origin, proxy, reach, secureContext } = target;
  const host = hostNameOf(origin);
  if (reach === 'public' && isPrivateAddress(host)) throw unsafeAddressError(origin, host);
  const isTls = origin.protocol === 'https:';
  if (proxy === undefined) {
    const lookup = lookupOf(target);
    const onread = reader?.onread;
    const socket = isTls
      ? dialTls(origin, target, { secureContext, lookup, onread })
      : dialTcp(origin, lookup, onread);
    reader?.attach(socket);
    sockets.push(socket);
    await event(socket, isTls ? 'secureConnect' : 'connect');
    refusePrivate(target, socket);
    return socket;
  }
  if (!isTls) return openProxy(target, proxy, sockets, reader);
  const first = await openProxy(target, proxy, sockets);
  await openTunnel(first, origin, proxy);
  const socket = dialTls(origin, target, { secureContext, socket: first });
  reader?.attach(socket);
  sockets.push(socket);
  await event(socket, 'secureConnect');
  return socket;
}

async function openProxy(
  target: Target,
  { url, secureContext }: NonNullable<Target['proxy']>,
  sockets: Socket[],
  reader?: SlabReader,
): Promise<Socket> {
  const { lookup = systemLookup } = target;
  const onread = reader?.onread;
  const isTls = url.protocol === 'https:';
  // The proxy is always verified, also where `target` does not verify the registry.
  const socket = isTls
    ? dialTls(
        url,
        { rejectUnauthorized: true, session: undefined },
        { secureContext, lookup, onread },
      )
    : dialTcp(url, lookup, onread);
  reader?.attach(socket);
  sockets.push(socket);
  try {
    await event(socket, isTls ? 'secureConnect' : 'connect');
  } catch (error) {
    throw proxyConnectError(target.origin, url, error);
  }
  return socket;
}

function dialTcp(url: URL, lookup: LookupFunction, onread?: OnReadOpts): Socket {
  const stream = {
    ...addressOptions(url),
    ...(onread && { onread }),
    lookup,
    writableHighWaterMark: 1,
  };
  return connectTcp(stream);
}

interface TlsWay {
  readonly secureContext: SecureContext | undefined;
  readonly lookup?: LookupFunction;
  readonly onread?: OnReadOpts | undefined;
  /** The tunnel through a proxy. */
  readonly socket?: Socket;
}

function dialTls(
  url: URL,
  target: Pick<Target, 'rejectUnauthorized' | 'session'>,
  { secureContext, lookup, onread, socket: through }: TlsWay,
): Socket {
  const address = addressOptions(url);
  const stream = {
    ...address,
    ...(lookup && { lookup }),
    ...(onread && { onread }),
    ...(through && { socket: through }),
    // tls.connect has no writableHighWaterMark. Reads do not suffer: a TLS record, 16 KiB, is over
    // any mark.
    highWaterMark: 1,
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: target.rejectUnauthorized,
    ...(isIP(address.host) === 0 && { servername: address.host }),
    ...(secureContext && { secureContext }),
    ...(target.session && { session: target.session }),
  };
  const socket = connectTls(stream);
  socket.on('session', (session) => {
    target.session = session;
  });
  return socket;
}

function addressOptions(url: URL) {
  return {
    host: hostNameOf(url),
    port: portOf(url),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  };
}

/** Resolves at the event, and rejects with an error before it. */
function event(socket: Socket, name: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      socket.off(name, onEvent).off('error', settle).off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onEvent = (): void => settle();
    const onClose = (): void => settle(new Error('the connection was given up'));
    socket.once(name, onEvent).once('error', settle).once('close', onClose);
  });
}

/** Hides private addresses from Node; `refusePrivate()` checks the connected one again. */
function lookupOf({ origin, reach, lookup = systemLookup }: Target): LookupFunction {
  if (reach === 'any') return lookup;
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      if (error !== null) return callback(error, found, family);
      const addresses =
        typeof found === 'string' ? [{ address: found, family: family ?? isIP(found) }] : found;
      const allowed = addresses.filter(({ address }) => !isPrivateAddress(address));
      const [first] = allowed;
      if (first === undefined)
        return callback(unsafeAddressError(origin, addresses[0]?.address), []);
      return options.all === true
        ? callback(null, allowed)
        : callback(null, first.address, first.family);
    });
  };
}

function refusePrivate({ origin, reach }: Target, socket: Socket): void {
  const address = socket.remoteAddress;
  if (reach === 'any' || (address !== undefined && !isPrivateAddress(address))) return;
  throw unsafeAddressError(origin, address);
}

const END_OF_HEAD = '\r\n\r\n';

/**
 * Asks the proxy behind `socket` for a tunnel. Afterwards every byte goes to `origin`, and none of
 * its bytes has been read. The proxy's credentials are in this one request, and nowhere else.
 *
 * @throws {ProxyError} when the proxy refuses.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
 */
function openTunnel(
  socket: Socket,
  origin: URL,
  { url, authorization }: ProxyServer,
): Promise<void> {
  const authority = `${origin.hostname}:${portOf(origin)}`;
  const lines = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`]),
  ];
  const fault = (name: string, text: string): ProxyError =>
    new ProxyError(origin.host, url.host, name, text);
  return new Promise((resolve, reject) => {
    let head = '';
    const settle = (error?: Error): void => {
      socket.off('data', onData).off('error', settle).off('close', onClose).pause();
      if (error === undefined) resolve();
      else reject(error);
    };
    const onClose = (): void =>
      settle(fault('CLOSED', 'it closed the connection without a response'));
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const end = head.indexOf(END_OF_HEAD);
      if (end < 0) {
        if (head.length > LIMITS.headerBytes)
          settle(fault('MALFORMED', 'it sent too many headers'));
        return;
      }
      const [, status = '', reason = ''] =
        /^HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?/.exec(head) ?? [];
      if (status === '407') {
        const offered = [...head.matchAll(/^proxy-authenticate:(.*)$/gim)].map(([, text]) => text);
        return settle(
          ProxyError.unauthorized(origin.host, url.host, offered.join(',') || undefined),
        );
      }
      if (status === '') return settle(fault('MALFORMED', 'it does not speak http'));
      if (!status.startsWith('2'))
        return settle(fault('REFUSED', `it refused with status ${status}${inBrackets(reason)}`));
      // A server waits for the client's hello: bytes after the head are no part of the tunnel.
      settle(
        head.length > end + END_OF_HEAD.length
          ? fault('MALFORMED', 'it sent bytes into the tunnel')
          : undefined,
      );
    };
    socket.on('data', onData).once('error', settle).once('close', onClose);
    socket.write(`${lines.join('\r\n')}${END_OF_HEAD}`);
  });
}

function inBrackets(reason: string): string {
  return reason === '' ? '' : ` (${printable(reason, 80)})`;
}
