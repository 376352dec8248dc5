import type { LookupFunction } from 'node:net';

import { ConnectionPool } from './connection-pool.ts';
import type { Target } from './connector.ts';
import { TransportCounters } from './counters.ts';
import { exchange } from './exchange.ts';
import type { HttpRequest, HttpResponse, Transport } from './message.ts';
import { secureContextOf, type TlsSettings } from './tls.ts';

export interface TransportOptions {
  readonly userAgent: string;
  /** Asked once for every https origin; verified with the system's authorities when absent. */
  readonly tls?: ((origin: URL) => TlsSettings) | undefined;
  /** Name resolution; the system's when absent. */
  readonly lookup?: LookupFunction | undefined;
  /** For name, TCP and TLS together. Milliseconds. */
  readonly connectTimeoutMs?: number | undefined;
  /** How long a peer may do nothing. Milliseconds. */
  readonly idleTimeoutMs?: number | undefined;
  /** How long PUT and PATCH may take to be answered once they are sent: storage commits are slow. Milliseconds. */
  readonly answerTimeoutMs?: number | undefined;
  /** To count together with other transports. */
  readonly counters?: TransportCounters | undefined;
}

/** The bottom of every stack of layers. */
export interface HttpTransport {
  /**
   * Sends one request. Follows no redirect, retries nothing, decodes nothing. A streamed body is opened when the connection is
   * there, and closed on every exit; what it throws is thrown as it is.
   *
   * @throws {NetworkError} when the connection breaks, or the server does not speak HTTP.
   * @throws {TlsError} when the server cannot be trusted, or speaks no TLS.
   * @throws {TimeoutError} when it takes too long to connect, to take bytes, or to answer.
   * @throws {UnsafeAddressError} when `reach` forbids the address. Nothing is sent there.
   * @throws {BodySizeError} when a streamed body is shorter or longer than its size.
   */
  readonly send: Transport;
  readonly counters: TransportCounters;
  /** Closes all connections at once. Requests that still run fail. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 15 * 60_000;

/** Makes a transport over undici. It keeps connections open between requests: `close()` it. */
export function createTransport(options: TransportOptions): HttpTransport {
  const { connectTimeoutMs = CONNECT_TIMEOUT_MS, idleTimeoutMs = IDLE_TIMEOUT_MS, answerTimeoutMs = ANSWER_TIMEOUT_MS } = options;
  const counters = options.counters ?? new TransportCounters();
  const pools = new Map<string, ConnectionPool>();
  let isClosed = false;

  async function send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    const { default: UndiciClient } = await import('undici/lib/dispatcher/client.js');
    request.signal?.throwIfAborted();
    if (isClosed) throw new Error('The transport is closed');
    const { url, method, reach = 'any' } = request;
    const pool = emplace(
      pools,
      `${reach} ${url.origin}`,
      () => new ConnectionPool(UndiciClient, targetOf(url, reach), () => counters.add(url.origin, 'connections')),
    );
    const connection = pool.acquire();
    counters.add(url.origin, 'requests');
    return exchange(connection, request, {
      idleTimeoutMs,
      answerTimeoutMs: request.answerTimeoutMs ?? (method === 'PUT' || method === 'PATCH' ? answerTimeoutMs : idleTimeoutMs),
      userAgent: options.userAgent,
      onOver: (isReusable) => pool.release(connection, isReusable),
    });
  }

  function targetOf(url: URL, reach: 'any' | 'public'): Target {
    const origin = new URL(url.origin);
    const settings = origin.protocol === 'https:' ? (options.tls?.(origin) ?? {}) : {};
    return {
      origin,
      reach,
      lookup: options.lookup,
      timeoutMs: connectTimeoutMs,
      rejectUnauthorized: settings.rejectUnauthorized ?? true,
      secureContext: secureContextOf(settings),
      session: undefined,
    };
  }

  async function close(): Promise<void> {
    isClosed = true;
    await Promise.all([...pools.values()].map((pool) => pool.close()));
  }

  return { send, counters, close };
}

function emplace<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
