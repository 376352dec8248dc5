import { bytesOf } from '../../../src/bytes.ts';
import { assertNever } from '../../../src/errors.ts';
import type { CallResponse, Call, Middleware } from '../../../src/server/exchange.ts';
import { ConnectionCut } from '../../../src/server/handler.ts';
import type { Bytes } from '../../../src/store.ts';

/** Selects the requests that a fault strikes. `path` is matched against path and query. */
export type Match =
  | ((call: Call) => boolean)
  | { readonly method?: string | undefined; readonly path?: RegExp | undefined };

/** Misbehaviour of a peer. Each kind names the real behaviour that it stands for. */
export type FaultAction =
  /**
   * Sends another response: 429 with Retry-After, 503 of a load balancer, the HTML of a captive
   * portal, 404 after a lost session.
   */
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** Sends a response before it has read the request's body, and closes: nginx with a limit. */
  | { readonly kind: 'refuse-early'; readonly status: number }
  /** Sends a response that depends on the request. */
  | { readonly kind: 'respond-with'; readonly respond: (call: Call) => CallResponse }
  /**
   * Closes without a response: a proxy that restarts, a keep-alive connection that closes during
   * the request.
   */
  | { readonly kind: 'hang-up' }
  /** Closes in the middle of the response head. */
  | { readonly kind: 'cut-head' }
  /** Closes, and refuses the next connections too: a registry that restarts. */
  | { readonly kind: 'outage'; readonly connections: number }
  /** Closes after a part of the response body: an unstable link, a storage that restarts. */
  | { readonly kind: 'cut'; readonly afterBytes: Extent }
  /**
   * Closes after a part of the request body. The session keeps the bytes, as in distribution 3 and
   * olareg, or is lost, as in distribution 2.8 and zot. By default it behaves as the server of
   * regi: a PATCH is kept, a PUT is discarded.
   */
  | {
      readonly kind: 'cut-request';
      readonly afterBytes: Extent;
      readonly session?: 'kept' | 'lost';
    }
  /**
   * Sends a part of the body, then nothing: a NAT that lost the connection. Without `afterBytes` it
   * sends not even a head.
   */
  | { readonly kind: 'stall'; readonly afterBytes?: Extent }
  /** Reads a part of the body, then nothing: a registry whose storage hangs. */
  | { readonly kind: 'stall-request'; readonly afterBytes: Extent }
  /**
   * Sends a Content-Length that is too large or too small by this much: a proxy that changes
   * bodies.
   */
  | { readonly kind: 'wrong-length'; readonly by: number }
  /** Changes one byte and keeps the length: a damaged disk, a proxy that rewrites. */
  | { readonly kind: 'corrupt'; readonly at?: number }
  /**
   * Sends another body with the same headers and a correct Content-Length: a cache that confuses
   * its entries.
   */
  | { readonly kind: 'replace-body'; readonly body: string | Uint8Array }
  /**
   * Replaces headers, or removes them when `undefined`: registries without Docker-Content-Digest,
   * Link, OCI-Subject, Location.
   */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string | undefined>> }
  /** Redirects: blobs on S3 or a CDN (307), an ingress with another host name (301). */
  | {
      readonly kind: 'redirect';
      readonly to: string | ((call: Call) => string);
      readonly status?: number;
    }
  /**
   * Handles the request and closes without a response: the client cannot know whether it was
   * handled.
   */
  | { readonly kind: 'lose-response' };

/** Bytes, or tenths of the body. */
export type Extent = number | { readonly tenths: number };

export interface Fault {
  /** Its name in the log of requests. */
  readonly name?: string | undefined;
  readonly match: Match;
  /** Number of requests that it strikes; 1 when absent. */
  readonly times?: number | undefined;
  readonly action: FaultAction;
}

/** The connection of a request, and its server. */
export interface FaultyLine {
  /** Writes raw text to the connection. */
  writeRaw(text: string): void;
  /** Closes the next connections at once. */
  refuse(connections: number): void;
}

/** Plays one fault on one request. */
export function playFault(action: FaultAction, line: FaultyLine): Middleware {
  return async (call, next) => {
    switch (action.kind) {
      case 'respond':
        return {
          status: action.status,
          headers: action.headers ?? {},
          body: toBytes(action.body ?? ''),
        };
      case 'refuse-early':
        line.writeRaw(
          `HTTP/1.1 ${action.status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
        );
        throw new ConnectionCut('Scripted');
      case 'respond-with':
        return action.respond(call);
      case 'hang-up':
        throw new ConnectionCut('Scripted');
      case 'cut-head':
        line.writeRaw('HTTP/1.1 200 OK\r\nContent-Type: applica');
        throw new ConnectionCut('Scripted');
      case 'outage':
        line.refuse(action.connections);
        throw new ConnectionCut('Scripted');
      case 'cut':
        return withContent(await next(call), (content, size) =>
          upTo(content, bytesIn(action.afterBytes, size), cut),
        );
      case 'cut-request':
        return cutRequest(call, next, action);
      case 'stall': {
        if (action.afterBytes === undefined) return gone(call);
        const { afterBytes } = action;
        return withContent(await next(call), (content, size) =>
          upTo(content, bytesIn(afterBytes, size), () => gone(call)),
        );
      }
      case 'stall-request':
        return brokenRequest(call, next, {
          afterBytes: bytesIn(action.afterBytes, call.body.length ?? 0),
          end: () => gone(call),
        });
      case 'wrong-length':
        return wrongLength(await next(call), action.by);
      case 'corrupt':
        return withContent(await next(call), (content) => corrupted(content, action.at ?? 0));
      case 'replace-body':
        return { ...(await next(call)), body: toBytes(action.body) };
      case 'headers': {
        const response = await next(call);
        const headers = Object.entries({ ...response.headers, ...action.headers }).filter(
          (entry): entry is [string, string] => entry[1] !== undefined,
        );
        return { ...response, headers: Object.fromEntries(headers) };
      }
      case 'redirect': {
        const location = typeof action.to === 'string' ? action.to : action.to(call);
        return { status: action.status ?? 307, headers: { location } };
      }
      case 'lose-response':
        await next(call);
        throw new ConnectionCut('Scripted');
      default:
        return assertNever(action);
    }
  };
}

/** True if `match` selects the request. */
export function isMatch(call: Call, match: Match): boolean {
  if (typeof match === 'function') return match(call);
  const url =
    call.query.size === 0 ? call.path : `${call.path}?${decodeURIComponent(call.query.toString())}`;
  return (
    (match.method === undefined || match.method === call.method) &&
    (match.path === undefined || match.path.test(url))
  );
}

async function cutRequest(
  call: Call,
  next: (call: Call) => Promise<CallResponse>,
  { afterBytes, session }: Extract<FaultAction, { readonly kind: 'cut-request' }>,
): Promise<CallResponse> {
  try {
    return await brokenRequest(session === 'kept' ? asChunk(call) : call, next, {
      afterBytes: bytesIn(afterBytes, call.body.length ?? 0),
      end: cut,
    });
  } finally {
    if (session === 'lost')
      await next({
        ...call,
        method: 'DELETE',
        body: { length: 0, content: bytesOf(new Uint8Array(0)) },
      });
  }
}

/**
 * Turns a PUT that ends an upload into a PATCH: a registry that keeps partial uploads writes its
 * bytes into the session.
 */
function asChunk(call: Call): Call {
  const isUpload = call.method === 'PUT' && call.path.includes('/blobs/uploads/');
  return isUpload ? { ...call, method: 'PATCH', body: { ...call.body, length: undefined } } : call;
}

async function brokenRequest(
  call: Call,
  next: (call: Call) => Promise<CallResponse>,
  { afterBytes, end }: { readonly afterBytes: number; readonly end: () => Promise<never> },
): Promise<CallResponse> {
  let broken = false;
  const content = upTo(call.body.content, afterBytes, () => {
    broken = true;
    return end();
  });
  const response = await next({ ...call, body: { ...call.body, content } });
  // The server below has made an error response, which the client must not see.
  if (broken) throw new ConnectionCut('Scripted');
  return response;
}

function withContent(
  response: CallResponse,
  change: (content: Bytes, size: number) => Bytes,
): CallResponse {
  const { body } = response;
  if (body === undefined) return response;
  const { content, size } =
    body instanceof Uint8Array ? { content: bytesOf(body), size: body.byteLength } : body;
  return { ...response, body: { content: change(content, size), size } };
}

/**
 * The server sends the length of the body, so the body changes: it ends too early, or has more
 * bytes than its length.
 */
function wrongLength(response: CallResponse, by: number): CallResponse {
  const { body } = response;
  if (body === undefined) return response;
  const { content, size } =
    body instanceof Uint8Array ? { content: bytesOf(body), size: body.byteLength } : body;
  const said = Math.max(0, size + by);
  return {
    ...response,
    body: { content: said < size ? firstOf(content, said) : content, size: said },
  };
}

function firstOf(content: Bytes, count: number): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      let left = count;
      for await (const chunk of content) {
        yield chunk.subarray(0, left);
        left -= chunk.byteLength;
        if (left <= 0) return;
      }
    },
  };
}

function bytesIn(extent: Extent, size: number): number {
  return typeof extent === 'number' ? extent : Math.floor((size * extent.tenths) / 10);
}

function upTo(content: Bytes, limit: number, end: () => Promise<never>): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      let left = limit;
      for await (const chunk of content) {
        if (chunk.byteLength >= left) {
          yield chunk.subarray(0, left);
          await end();
        }
        left -= chunk.byteLength;
        yield chunk;
      }
    },
  };
}

function corrupted(content: Bytes, at: number): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      let position = 0;
      for await (const chunk of content) {
        const copy = new Uint8Array(chunk);
        const index = at - position;
        const byte = copy[index];
        if (byte !== undefined) copy[index] = 255 - byte;
        position += chunk.byteLength;
        yield copy;
      }
    },
  };
}

function cut(): Promise<never> {
  return Promise.reject(new ConnectionCut('Scripted'));
}

/** Never responds; ends when the client or the server gives up. */
function gone({ signal }: Call): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(new ConnectionCut('Scripted'));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

function toBytes(body: string | Uint8Array): Uint8Array {
  return typeof body === 'string' ? new TextEncoder().encode(body) : body;
}
