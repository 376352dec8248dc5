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
import { isPrivateAddress } from './address.ts';
import {
  connectError,
  proxyConnectError,
  ProxyError,
  TimeoutError,
  UnsafeAddressError,
} from './errors.ts';
import type { ProxyServer } from './proxy.ts';
import type { SlabPool, SlabReader } from './slabs.ts';

/** Where to connect, and how. One per origin and reach; it remembers the last TLS session to make the next handshake cheap. */
export interface Target {
  readonly origin: URL;
  /**
   * `public` refuses private addresses. Behind a proxy it is the proxy that resolves names: there only an address that is written in the URL is
   * refused.
   */
  readonly reach: 'any' | 'public';
  readonly lookup?: LookupFunction | undefined;
  readonly timeoutMs: number;
  readonly rejectUnauthorized: boolean;
  /** Undefined for plain http. */
  readonly secureContext: SecureContext | undefined;
  /** What stands between, and how it proves who it is. */
  readonly proxy?:
    | (ProxyServer & { readonly secureContext: SecureContext | undefined })
    | undefined;
  /** For large bodies; Node allocates memory for every read when absent. */
  readonly slabs?: SlabPool | undefined;
  session: Buffer | undefined;
}

/** One of the two. The socket can be written to, and over https its server is trusted. */
export type OnConnected = (error: Error | undefined, socket: Socket | undefined) => void;

/** A connection that is being made. */
export interface Opening {
  /** Gives up. */
  destroy(): void;
}

/**
 * Node's default, 250 ms, gives up on each address of a host that is far away.
 *
 * @see https://github.com/nodejs/node/issues/54359
 */
const ATTEMPT_TIMEOUT_MS = 1500;

const KEEP_ALIVE_MS = 60_000;

/**
 * Opens a connection; name, TCP, proxy and TLS together take at most `timeoutMs`. Answers exactly once.
 *
 * @param reader reads for the socket, where nothing stands between: Node has a tunnel's TLS read for itself.
 *
 * A high-water mark of 1 for what is written makes `drain` mean that the kernel has everything, so that a borrowed chunk is free again.
 */
export function openSocket(target: Target, onConnected: OnConnected, reader?: SlabReader): Opening {
  const { origin, proxy, timeoutMs } = target;
  const sockets: Socket[] = [];
  const destroy = (reason: Error = new Error('the connection was given up')): void =>
    void sockets.at(-1)?.destroy(reason);
  const timer = setTimeout(() => {
    const through = proxy === undefined ? '' : ` through the proxy "${proxy.url.host}"`;
    const message = `Cannot connect to "${origin.host}"${through}: no connection within ${timeoutMs / 1000} s`;
    destroy(
      new TimeoutError(
        message,
        { host: origin.host, phase: 'connect', timeoutMs },
        { hint: 'check host, port, proxy and firewall' },
      ),
    );
  }, timeoutMs).unref();
  open(target, sockets, reader).then(
    (socket) => {
      clearTimeout(timer);
      onConnected(undefined, socket);
    },
    (error: unknown) => {
      clearTimeout(timer);
      // Once given up on, nobody else listens for what may still go wrong.
      for (const socket of sockets) socket.on('error', ignore).destroy();
      onConnected(connectError(origin, error), undefined);
    },
  );
  return { destroy: () => destroy() };
}

/** @param sockets takes each as it is begun; the last one is the outermost. */
async function open(
  target: Target,
  sockets: Socket[],
  reader: SlabReader | undefined,
): Promise<Socket> {
  const { origin, proxy, reach, secureContext } = target;
  const host = hostOf(origin);
  if (reach === 'public' && isPrivateAddress(host)) throw new UnsafeAddressError(origin.host, host);
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
  const first = await openProxy(target, proxy, sockets);
  if (!isTls) return first;
  await openTunnel(first, origin, proxy);
  const socket = dialTls(origin, target, { secureContext, socket: first });
  sockets.push(socket);
  await event(socket, 'secureConnect');
  return socket;
}

async function openProxy(
  target: Target,
  { url, secureContext }: NonNullable<Target['proxy']>,
  sockets: Socket[],
): Promise<Socket> {
  const { lookup = systemLookup } = target;
  const isTls = url.protocol === 'https:';
  // Who cannot trust the registry must be able to trust the proxy all the same: it is verified whatever `target` says.
  const socket = isTls
    ? dialTls(url, { rejectUnauthorized: true, session: undefined }, { secureContext, lookup })
    : dialTcp(url, lookup);
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
  /** Already connected, through a proxy. */
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
    // tls.connect knows no writableHighWaterMark. Reading does not suffer: a TLS record, 16 KiB, is over any mark.
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
    host: hostOf(url),
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  };
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** Resolves at the event, and rejects with what went wrong before it. */
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

/** Keeps private addresses from being connected to at all; `refusePrivate()` looks again at the one that was. */
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
        return callback(
          new UnsafeAddressError(origin.host, addresses[0]?.address ?? 'unknown'),
          [],
        );
      return options.all === true
        ? callback(null, allowed)
        : callback(null, first.address, first.family);
    });
  };
}

function refusePrivate({ origin, reach }: Target, socket: Socket): void {
  const address = socket.remoteAddress;
  if (reach === 'any' || (address !== undefined && !isPrivateAddress(address))) return;
  throw new UnsafeAddressError(origin.host, address ?? 'unknown');
}

function ignore(): void {}

const END_OF_HEAD = '\r\n\r\n';

/**
 * Asks a proxy that `socket` is connected to for a tunnel. Afterwards every byte goes to `origin`; nothing of its first answer has been
 * read. What proves who we are to the proxy is in this one request, and nowhere else.
 *
 * @throws {ProxyError} when the proxy refuses.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
 */
function openTunnel(
  socket: Socket,
  origin: URL,
  { url, authorization }: ProxyServer,
): Promise<void> {
  const authority = `${origin.hostname}:${origin.port === '' ? (origin.protocol === 'https:' ? 443 : 80) : origin.port}`;
  const lines = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`]),
  ];
  return new Promise((resolve, reject) => {
    let head = '';
    const settle = (error?: Error): void => {
      socket.off('data', onData).off('error', settle).off('close', onClose).pause();
      if (error === undefined) resolve();
      else reject(error);
    };
    const onClose = (): void =>
      settle(
        new ProxyError(origin.host, url.host, 'CLOSED', 'it closed the connection unanswered'),
      );
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const end = head.indexOf(END_OF_HEAD);
      if (end < 0) {
        if (head.length > LIMITS.headerBytes)
          settle(
            new ProxyError(origin.host, url.host, 'MALFORMED', 'it answered with too many headers'),
          );
        return;
      }
      const [, status = '', reason = ''] =
        /^HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?/.exec(head) ?? [];
      if (!status.startsWith('2')) return settle(refusal(origin, url, status, reason));
      // A server speaks only after the client's hello: whatever follows the head is no part of the tunnel.
      settle(
        head.length > end + END_OF_HEAD.length
          ? new ProxyError(origin.host, url.host, 'MALFORMED', 'it spoke into the tunnel')
          : undefined,
      );
    };
    socket.on('data', onData).once('error', settle).once('close', onClose);
    socket.write(`${lines.join('\r\n')}${END_OF_HEAD}`);
  });
}

function refusal(origin: URL, proxy: URL, status: string, reason: string): ProxyError {
  if (status === '')
    return new ProxyError(
      origin.host,
      proxy.host,
      'MALFORMED',
      'what answers there speaks no http',
    );
  if (status === '407') return ProxyError.unauthorized(origin.host, proxy.host);
  return new ProxyError(
    origin.host,
    proxy.host,
    'REFUSED',
    `it refused with status ${status}${reason === '' ? '' : ` (${printable(reason, 80)})`}`,
  );
}
