import type { IncomingHttpHeaders } from 'node:http';

import type { StreamBody } from '../http/message.ts';
import type { Bytes } from '../store.ts';

/** The body of a request. Its content can be read once. */
export interface RequestBody {
  /** Bytes, as Content-Length says; 0 when there is no body; undefined when it comes in chunks of unknown total. */
  readonly length: number | undefined;
  readonly content: Bytes;
}

/** A request, without the machinery it came by: endpoints and middleware see nothing else. */
export interface Call {
  readonly method: string;
  /** As received, still percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<IncomingHttpHeaders>;
  readonly body: RequestBody;
  /** Aborts when the client is gone or the server is destroyed. */
  readonly signal: AbortSignal;
}

export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>;

/** What is sent back. Content-Length is made from the body; a HEAD gets the headers alone. */
export interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body?: Uint8Array | StreamBody | undefined;
}

/** Sees each request before guards and authentication do, and its answer on the way back. */
export type Middleware = (call: Call, next: (call: Call) => Promise<Answer>) => Promise<Answer>;

/** An answer that is JSON. */
export function jsonAnswer(status: number, value: unknown, headers: AnswerHeaders = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** An answer of headers only. */
export function emptyAnswer(status: number, headers: AnswerHeaders = {}): Answer {
  return { status, headers };
}
