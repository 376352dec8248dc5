import type { Bytes } from '../store.ts';

export type Method = 'DELETE' | 'GET' | 'HEAD' | 'PATCH' | 'POST' | 'PUT';

/** A streamed body. Its length is always known: registries require Content-Length. */
export interface StreamBody {
  /** The bytes of the body. */
  readonly content: Bytes;
  /** Bytes. */
  readonly size: number;
}

/**
 * The addresses that may be connected to. `public` refuses loopback, link-local and private ones,
 * for URLs that a public peer named. A proxy resolves names by itself: behind one, `public` refuses
 * only an address in the URL itself.
 */
export type Reach = 'any' | 'public';

export interface HttpRequest {
  readonly method: Method;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | StreamBody | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Time from the end of the request to the head of the response; the transport's default when
   * absent. Milliseconds.
   */
  readonly responseTimeoutMs?: number | undefined;
  readonly reach?: Reach | undefined;
  /** `none` returns a redirect instead of following it. */
  readonly redirects?: 'follow' | 'none' | undefined;
}

/** Response headers; a repeated name is joined with ", ", as RFC 9110 §5.3 allows. */
export interface HttpHeaders {
  /** Any case of `name`. */
  get(name: string): string | undefined;
  entries(): Iterable<readonly [name: string, value: string]>;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** The URL that responded. */
  readonly url: URL;
  /** The address of the connection; undefined behind a proxy, which alone knows it. */
  readonly remoteAddress: string | undefined;
  /**
   * Can be read once, in borrowed chunks (see `Bytes`); leaving the loop closes it. It must be read
   * or discarded.
   */
  readonly body: Bytes;
}

/**
 * Sends one request and returns the response, whatever its status. Throws only without a response.
 */
export type Transport = (request: HttpRequest) => Promise<HttpResponse>;

/** One job around a transport: retries, logging … */
export type Layer = (next: Transport) => Transport;

/** Puts layers around a transport, the innermost first. */
export function compose(transport: Transport, ...layers: readonly Layer[]): Transport {
  return layers.reduce((next, layer) => layer(next), transport);
}

/** A layer that only watches responses. */
export function observe(onResponse: (response: HttpResponse) => void): Layer {
  return (next) => async (request) => {
    const response = await next(request);
    onResponse(response);
    return response;
  };
}

/** Makes headers from names in any case; values of a repeated name are joined with ", ". */
export function headersOf(
  values: Readonly<Record<string, string | readonly string[] | undefined>>,
): HttpHeaders {
  const byName = new Map<string, string>();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const lower = name.toLowerCase();
    const before = byName.get(lower);
    const joined = typeof value === 'string' ? value : value.join(', ');
    byName.set(lower, before === undefined ? joined : `${before}, ${joined}`);
  }
  return { get: (name) => byName.get(name.toLowerCase()), entries: () => byName.entries() };
}
