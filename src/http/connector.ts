import { lookup as lookUp } from 'node:dns';
import {
  connect as connectTcp,
  isIP,
  type LookupFunction,
  type OnReadOpts,
  type Socket,
} from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';

import { hostNameOf, isPrivateAddress, portOf } from './address.ts';
import { connectError, proxyConnectError, TimeoutError, unsafeAddressError } from './errors.ts';
import type { Reach } from './message.ts';
import type { HttpProxy, ProxyServer } from './proxy/proxy.ts';
import type { SlabPool, SlabReader } from './slabs.ts';
import { openHttpTunnel, openSocksTunnel } from './proxy/tunnel.ts';

/** Loads the resolver of Node for a name only: an address needs none. */
const systemLookup: LookupFunction = (name, options, callback) => lookUp(name, options, callback);

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
  if (forwarderOf(target) !== undefined) return openProxy(target, proxy, sockets, reader);
  const first = await openProxy(target, proxy, sockets);
  if (proxy.kind === 'http') await openHttpTunnel(first, origin, proxy);
  else await openSocksTunnel(first, origin, proxy, target.timeoutMs);
  if (!isTls) {
    reader?.attach(first);
    return first;
  }
  const socket = dialTls(origin, target, { secureContext, socket: first });
  reader?.attach(socket);
  sockets.push(socket);
  await event(socket, 'secureConnect');
  return socket;
}

/**
 * Returns the proxy to which requests are sent with their whole URL: an http proxy, for plain http.
 * All other connections through a proxy are tunnels.
 */
export function forwarderOf({ origin, proxy }: Target): HttpProxy | undefined {
  return origin.protocol === 'http:' && proxy?.kind === 'http' ? proxy : undefined;
}

async function openProxy(
  target: Target,
  proxy: NonNullable<Target['proxy']>,
  sockets: Socket[],
  reader?: SlabReader,
): Promise<Socket> {
  const { url, secureContext } = proxy;
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
    throw proxyConnectError(target.origin, proxy, error);
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
