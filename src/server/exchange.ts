import type { IncomingHttpHeaders } from 'node:http';

import type { StreamBody } from '../http/message.ts';
import type { Bytes } from '../store.ts';

/** The body of a request. Its content can be read once. */
export interface RequestBody {
  /** Bytes, from Content-Length; 0 without a body; undefined for chunks of unknown total. */
  readonly length: number | undefined;
  /** The bytes of the body, to be read once. */
  readonly content: Bytes;
}

/** A request without its socket: all that endpoints and middleware see. */
export interface Call {
  /** The HTTP method. */
  readonly method: string;
  /** As received, still percent-encoded, without the query. */
  readonly path: string;
  /** The parsed query. */
  readonly query: URLSearchParams;
  /** The headers, by lower-case name. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The body. */
  readonly body: RequestBody;
  /** Aborts when the client disconnects or the server is destroyed. */
  readonly signal: AbortSignal;
}

export type ResponseHeaders = Readonly<Record<string, string | readonly string[]>>;

/**
 * The response to a call. Content-Length is derived from the body; a HEAD gets only the headers.
 */
export interface CallResponse {
  /** The HTTP status. */
  readonly status: number;
  /** The headers. */
  readonly headers: ResponseHeaders;
  /** The body; none when absent. */
  readonly body?: Uint8Array | StreamBody | undefined;
}

/** Sees each request before guards and authentication do, and its response on the way back. */
export type Middleware = (
  call: Call,
  next: (call: Call) => Promise<CallResponse>,
) => Promise<CallResponse>;

/** The result of authentication; `challenge` is the `WWW-Authenticate` header of the 401. */
export type Verdict =
  | { readonly kind: 'allowed' }
  | { readonly kind: 'challenge'; readonly challenge: string }
  | { readonly kind: 'denied' };

/** Decides whether a request is allowed. */
export type Authenticate = (
  call: Pick<Call, 'method' | 'path' | 'query' | 'headers'>,
) => Promise<Verdict>;

/** Makes a JSON response. */
export function jsonResponse(
  status: number,
  value: unknown,
  headers: ResponseHeaders = {},
): CallResponse {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** Makes a response without a body. */
export function emptyResponse(status: number, headers: ResponseHeaders = {}): CallResponse {
  return { status, headers };
}
