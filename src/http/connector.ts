import { lookup as systemLookup } from 'node:dns';
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';

import { isPrivateAddress } from './address.ts';
import { connectError, TimeoutError, UnsafeAddressError } from './errors.ts';

/** Where to connect, and how. One per origin and reach; it remembers the last TLS session to make the next handshake cheap. */
export interface Target {
  readonly origin: URL;
  readonly reach: 'any' | 'public';
  readonly lookup?: LookupFunction | undefined;
  readonly timeoutMs: number;
  readonly rejectUnauthorized: boolean;
  readonly secureContext: SecureContext | undefined;
  session: Buffer | undefined;
}

/** One of the two. The socket can be written to, and over https its server is trusted. */
export type OnConnected = (error: Error | undefined, socket: Socket | undefined) => void;

/**
 * Node's default, 250 ms, gives up on each address of a host that is far away.
 *
 * @see https://github.com/nodejs/node/issues/54359
 */
const ATTEMPT_TIMEOUT_MS = 1500;

const KEEP_ALIVE_MS = 60_000;

/**
 * Opens a connection; name, TCP and TLS together take at most `timeoutMs`. Answers exactly once. Destroying the returned socket gives up.
 *
 * A high-water mark of 1 for what is written makes `drain` mean that the kernel has everything, so that a borrowed chunk is free again.
 */
export function openSocket(target: Target, onConnected: OnConnected): Socket | undefined {
  const { origin } = target;
  const host = origin.hostname.replace(/^\[|\]$/g, '');
  if (target.reach === 'public' && isPrivateAddress(host)) {
    onConnected(new UnsafeAddressError(origin.host, host), undefined);
    return undefined;
  }
  const isTls = origin.protocol === 'https:';
  const options = {
    host,
    port: origin.port === '' ? (isTls ? 443 : 80) : Number(origin.port),
    lookup: lookupOf(target),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  };
  const socket = isTls ? openTls(target, options) : openTcp(options);
  const timer = setTimeout(() => {
    const message = `Cannot connect to "${origin.host}": no connection within ${target.timeoutMs / 1000} s`;
    const hint = 'check host, port and firewall';
    socket.destroy(new TimeoutError(message, { host: origin.host, phase: 'connect', timeoutMs: target.timeoutMs }, { hint }));
  }, target.timeoutMs).unref();
  const settle = (error: Error | undefined): void => {
    clearTimeout(timer);
    socket.off('error', settle).off('close', onClose);
    if (error === undefined) return onConnected(undefined, socket);
    // Once given up on, nobody else listens for what may still go wrong.
    socket.on('error', ignore).destroy();
    onConnected(connectError(origin, error), undefined);
  };
  const onClose = (): void => settle(new Error('the connection was given up'));
  socket.once(isTls ? 'secureConnect' : 'connect', () => settle(refusal(target, socket)));
  socket.once('error', settle).once('close', onClose);
  return socket;
}

interface AddressOptions {
  readonly host: string;
  readonly port: number;
  readonly lookup: LookupFunction;
}

function openTcp(options: AddressOptions): Socket {
  const stream = { ...options, writableHighWaterMark: 1 };
  return connectTcp(stream);
}

function openTls(target: Target, options: AddressOptions): Socket {
  const stream = {
    ...options,
    // tls.connect knows no writableHighWaterMark. Reading does not suffer: a TLS record, 16 KiB, is over any mark.
    highWaterMark: 1,
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: target.rejectUnauthorized,
    ...(isIP(options.host) === 0 && { servername: options.host }),
    ...(target.secureContext && { secureContext: target.secureContext }),
    ...(target.session && { session: target.session }),
  };
  const socket = connectTls(stream);
  socket.on('session', (session) => {
    target.session = session;
  });
  return socket;
}

/** Keeps private addresses from being connected to at all; `refusal()` looks again at the one that was. */
function lookupOf({ origin, reach, lookup = systemLookup }: Target): LookupFunction {
  if (reach === 'any') return lookup;
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      if (error !== null) return callback(error, found, family);
      const addresses = typeof found === 'string' ? [{ address: found, family: family ?? isIP(found) }] : found;
      const allowed = addresses.filter(({ address }) => !isPrivateAddress(address));
      const [first] = allowed;
      if (first === undefined) return callback(new UnsafeAddressError(origin.host, addresses[0]?.address ?? 'unknown'), []);
      return options.all === true ? callback(null, allowed) : callback(null, first.address, first.family);
    });
  };
}

function refusal({ origin, reach }: Target, socket: Socket): Error | undefined {
  const address = socket.remoteAddress;
  if (reach === 'any' || (address !== undefined && !isPrivateAddress(address))) return undefined;
  return new UnsafeAddressError(origin.host, address ?? 'unknown');
}

function ignore(): void {}
