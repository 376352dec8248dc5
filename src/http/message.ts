import type { Bytes } from '../store.ts';

export type Method = 'DELETE' | 'GET' | 'HEAD' | 'PATCH' | 'POST' | 'PUT';

/** A body that is streamed. Its length is always known: registries want Content-Length. */
export interface StreamBody {
  /** The bytes of the body. */
  readonly content: Bytes;
  /** Bytes. */
  readonly size: number;
}

export interface HttpRequest {
  readonly method: Method;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | StreamBody | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the answer's head may take after the whole request is sent; the transport's default otherwise. Milliseconds. */
  readonly answerTimeoutMs?: number | undefined;
  /** `public`: refuse to connect to a loopback, link-local or private address. For URLs that a public peer named. Behind a proxy, which
   * resolves names by itself, only an address that is written in the URL is refused. */
  readonly reach?: 'any' | 'public' | undefined;
}

/** Response headers; a name that was repeated is joined with ", ", as RFC 9110 §5.3 allows. */
export interface HttpHeaders {
  /** Any case of `name`. */
  get(name: string): string | undefined;
  entries(): Iterable<readonly [name: string, value: string]>;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** The URL that answered. */
  readonly url: URL;
  /** The address that was connected to; undefined behind a proxy, which alone knows it. */
  readonly remoteAddress: string | undefined;
  /** Read once, chunks are borrowed (see `Bytes`); leaving the loop closes it. It must be read or discarded. */
  readonly body: Bytes;
}

/** Sends one request and answers with whatever status came. Throws only when no answer came. */
export type Transport = (request: HttpRequest) => Promise<HttpResponse>;

/** One job around a transport: retry, logging … */
export type Layer = (next: Transport) => Transport;

/** Makes headers of names in any case; values of a repeated name are joined with ", ". */
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
