import type { LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';

import type { Target } from './connector.ts';
import { exchange } from './exchange.ts';
import type { HttpRequest, HttpResponse, Reach, Transport } from './message.ts';
import { ConnectionPool } from './pool.ts';
import type { ProxyChooser, ProxyServer } from './proxy/proxy.ts';
import { SlabPool } from './slabs.ts';
import { secureContextOf, type TlsSettings } from './tls.ts';

export interface TransportOptions {
  readonly userAgent: string;
  /**
   * Called once for every https origin and https proxy; Node's own authorities apply when absent.
   */
  readonly tls?: ((origin: URL) => TlsSettings | Promise<TlsSettings>) | undefined;
  /** Chooses a proxy; connections are direct when absent. */
  readonly proxy?: ProxyChooser | undefined;
  /** Name resolution; the system's when absent. */
  readonly lookup?: LookupFunction | undefined;
  /**
   * For name, TCP and TLS together; 10 s or the idle timeout when absent, if that is shorter.
   * Milliseconds.
   */
  readonly connectTimeoutMs?: number | undefined;
  /** Longest time without progress of a peer; 60 s when absent. Milliseconds. */
  readonly idleTimeoutMs?: number | undefined;
  /**
   * Longest time from the end of a PUT or PATCH to its response; 15 minutes when absent, because
   * storage commits are slow. Milliseconds.
   */
  readonly responseTimeoutMs?: number | undefined;
  /** Shares the counts with other transports. */
  readonly counters?: TransportCounters | undefined;
  /** Buffers for reads; tests pass their own. */
  readonly slabs?: SlabPool | undefined;
}

/** The bottom of every stack of layers. */
export interface HttpTransport {
  /**
   * Sends one request. Follows no redirect, retries nothing, decodes nothing. A streamed body is
   * opened once the connection is open, and closed on every exit; its errors are passed on
   * unchanged.
   *
   * @throws {NetworkError} when the connection breaks, or the server does not speak HTTP.
   * @throws {ProxyError} when the proxy on the way does not let us through.
   * @throws {TlsError} when the server cannot be trusted, or speaks no TLS.
   * @throws {TimeoutError} when connecting, sending or the response takes too long.
   * @throws {RegiError} with code UNSAFE_REALM when `reach` forbids the address (nothing is sent
   *   there), CONTENT_MISMATCH when a streamed body is shorter or longer than its size,
   *   INVALID_CONFIG when `tls` returned unusable certificates.
   */
  readonly send: Transport;
  readonly counters: TransportCounters;
  /**
   * Returns how connections to an origin are opened, for probes of the connection itself.
   *
   * @throws {RegiError} with code INVALID_CONFIG when `tls` returned unusable certificates.
   */
  targetOf(url: URL): Promise<Target>;
  /** Closes all connections immediately. Requests in progress fail. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;
const RESPONSE_TIMEOUT_MS = 15 * 60_000;

/** Makes a transport over undici. It keeps connections open between requests: `close()` it. */
export function createTransport(options: TransportOptions): HttpTransport {
  const { idleTimeoutMs = IDLE_TIMEOUT_MS, responseTimeoutMs = RESPONSE_TIMEOUT_MS } = options;
  const { connectTimeoutMs = Math.min(CONNECT_TIMEOUT_MS, idleTimeoutMs) } = options;
  const { counters = new TransportCounters(), slabs = new SlabPool() } = options;
  const pools = new Map<string, Promise<ConnectionPool>>();
  let isClosed = false;

  async function send(request: HttpRequest): Promise<HttpResponse> {
    request.signal?.throwIfAborted();
    const { default: UndiciClient } = await import('undici/lib/dispatcher/client.js');
    request.signal?.throwIfAborted();
    if (isClosed) throw new Error('The transport is closed');
    const { url, method, reach = 'any' } = request;
    const pool = await emplace(pools, `${reach} ${url.origin}`, async () => {
      const target = await targetOf(url, reach);
      return new ConnectionPool(UndiciClient, target, () =>
        counters.add(url.origin, 'connections'),
      );
    });
    request.signal?.throwIfAborted();
    if (isClosed) throw new Error('The transport is closed');
    const connection = pool.acquire(
      request.body === undefined || request.body instanceof Uint8Array,
    );
    counters.add(url.origin, 'requests');
    return exchange(connection, request, {
      idleTimeoutMs,
      responseTimeoutMs:
        request.responseTimeoutMs ??
        (method === 'PUT' || method === 'PATCH' ? responseTimeoutMs : idleTimeoutMs),
      userAgent: options.userAgent,
      onOver: (end) => pool.release(connection, end),
    });
  }

  async function targetOf(url: URL, reach: Reach = 'any'): Promise<Target> {
    const origin = new URL(url.origin);
    const settings = await settingsOf(origin);
    const proxy = options.proxy?.(origin);
    return {
      origin,
      reach,
      lookup: options.lookup,
      timeoutMs: connectTimeoutMs,
      rejectUnauthorized: settings?.rejectUnauthorized ?? true,
      secureContext: settings && secureContextOf(settings, origin.host),
      proxy: proxy && { ...proxy, secureContext: await contextOfProxy(proxy) },
      slabs,
      session: undefined,
    };
  }

  async function contextOfProxy({ url }: ProxyServer): Promise<SecureContext | undefined> {
    const settings = await settingsOf(url);
    return settings && secureContextOf(settings, url.host);
  }

  async function settingsOf(origin: URL): Promise<TlsSettings | undefined> {
    return origin.protocol === 'https:' ? ((await options.tls?.(origin)) ?? {}) : undefined;
  }

  async function close(): Promise<void> {
    isClosed = true;
    const opened = await Promise.allSettled(pools.values());
    await Promise.all(
      opened.map(async (pool) => (pool.status === 'fulfilled' ? pool.value.close() : undefined)),
    );
  }

  return { send, counters, targetOf, close };
}

function emplace<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/** Requests and connections to one origin. */
export interface OriginCounts {
  readonly requests: number;
  readonly connections: number;
}

/**
 * Counts requests and connections by origin (`https://registry.example:5000`): users feel the cost
 * of round trips.
 */
class TransportCounters {
  readonly #counts = new Map<string, { requests: number; connections: number }>();

  add(origin: string, what: keyof OriginCounts): void {
    const counts = this.#counts.get(origin) ?? { requests: 0, connections: 0 };
    counts[what] += 1;
    this.#counts.set(origin, counts);
  }

  of(origin: string): OriginCounts {
    return { requests: 0, connections: 0, ...this.#counts.get(origin) };
  }

  entries(): Iterable<readonly [origin: string, counts: OriginCounts]> {
    return this.#counts.entries();
  }
}
