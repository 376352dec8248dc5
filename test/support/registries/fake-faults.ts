import { bytesOf } from '../../../src/bytes.ts';
import { assertNever } from '../../../src/errors.ts';
import type { CallResponse, Call, Middleware } from '../../../src/server/exchange.ts';
import { ConnectionCut } from '../../../src/server/handler.ts';
import type { Bytes } from '../../../src/store.ts';

/** Which requests a fault strikes. `path` is tested against path and query. */
export type Match =
  | ((call: Call) => boolean)
  | { readonly method?: string | undefined; readonly path?: RegExp | undefined };

/** What a peer may do instead of answering well. Each says which real behaviour it stands for. */
export type FaultAction =
  /** Any other answer: 429 with Retry-After, 503 of a load balancer, the HTML of a captive portal, 404 after a lost session. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** An answer that depends on the request. */
  | { readonly kind: 'answer-with'; readonly answer: (call: Call) => CallResponse }
  /** Closes without a word: a proxy that restarts, a keep-alive connection that was closed under the request. */
  | { readonly kind: 'hang-up' }
  /** Closes in the middle of the answer's head. */
  | { readonly kind: 'cut-head' }
  /** Closes, and does not take the next connections either: a registry that dies and comes back. */
  | { readonly kind: 'outage'; readonly connections: number }
  /** Ends the answer after so much of its body: an unstable link, a storage that is rolled over. */
  | { readonly kind: 'cut'; readonly afterBytes: Extent }
  /**
   * Closes after so many bytes of the request's body. The session keeps them, as with distribution 3 and olareg, or is lost, as with
   * distribution 2.8 and zot. When nothing is said it is as regi's own server does: a PATCH is kept, a PUT is as if it never came.
   */
  | {
      readonly kind: 'cut-request';
      readonly afterBytes: Extent;
      readonly session?: 'kept' | 'lost';
    }
  /** Sends so much of the body, then nothing more: a NAT that lost the connection. Without `afterBytes` not even a head. */
  | { readonly kind: 'stall'; readonly afterBytes?: Extent }
  /** Reads so much of the body, then nothing more: a registry whose storage hangs. */
  | { readonly kind: 'stall-request'; readonly afterBytes: Extent }
  /** Content-Length says so many bytes more than come, or fewer: a proxy that changes bodies. */
  | { readonly kind: 'wrong-length'; readonly by: number }
  /** One byte is another one, the length is right: a damaged disk, a proxy that rewrites. */
  | { readonly kind: 'corrupt'; readonly at?: number }
  /** Another body under the same headers, Content-Length corrected: a cache that mixes up its entries. */
  | { readonly kind: 'replace-body'; readonly body: string | Uint8Array }
  /** `undefined` leaves a header out: registries without Docker-Content-Digest, Link, OCI-Subject, Location. */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string | undefined>> }
  /** Sends the client elsewhere: blobs on S3 or a CDN (307), an ingress with another host name (301). */
  | {
      readonly kind: 'redirect';
      readonly to: string | ((call: Call) => string);
      readonly status?: number;
    }
  /** The request is handled, but its answer never comes: was it done or not? */
  | { readonly kind: 'lose-answer' };

/** Bytes, or tenths of the body. */
export type Extent = number | { readonly tenths: number };

export interface Fault {
  /** What the log calls it. */
  readonly name?: string | undefined;
  readonly match: Match;
  /** How many requests it strikes; 1 when absent. */
  readonly times?: number | undefined;
  readonly action: FaultAction;
}

/** The connection that a request came by, and the server behind. */
export interface FaultyLine {
  /** Writes past everything that would make an answer of it. */
  writeRaw(text: string): void;
  /** Closes the next connections as soon as they come. */
  refuse(connections: number): void;
}

/** Plays one fault on one request. */
export function playFault(action: FaultAction, line: FaultyLine): Middleware {
  return async (call, next) => {
    switch (action.kind) {
      case 'answer':
        return {
          status: action.status,
          headers: action.headers ?? {},
          body: toBytes(action.body ?? ''),
        };
      case 'answer-with':
        return action.answer(call);
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
        const answer = await next(call);
        const headers = Object.entries({ ...answer.headers, ...action.headers }).filter(
          (entry): entry is [string, string] => entry[1] !== undefined,
        );
        return { ...answer, headers: Object.fromEntries(headers) };
      }
      case 'redirect': {
        const location = typeof action.to === 'string' ? action.to : action.to(call);
        return { status: action.status ?? 307, headers: { location } };
      }
      case 'lose-answer':
        await next(call);
        throw new ConnectionCut('Scripted');
      default:
        return assertNever(action);
    }
  };
}

/** Whether a request is one that `match` means. */
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

/** A PUT that ends an upload, as the PATCH that it is for a registry which writes into its session what comes, as it comes. */
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
  const answer = await next({ ...call, body: { ...call.body, content } });
  // The registry behind has made an error answer of it, which the client must not see.
  if (broken) throw new ConnectionCut('Scripted');
  return answer;
}

function withContent(
  answer: CallResponse,
  change: (content: Bytes, size: number) => Bytes,
): CallResponse {
  const { body } = answer;
  if (body === undefined) return answer;
  const { content, size } =
    body instanceof Uint8Array ? { content: bytesOf(body), size: body.byteLength } : body;
  return { ...answer, body: { content: change(content, size), size } };
}

/** The length that is sent is that of the body, so the body is what changes: fewer bytes than said and a cut, or more than fit. */
function wrongLength(answer: CallResponse, by: number): CallResponse {
  const { body } = answer;
  if (body === undefined) return answer;
  const { content, size } =
    body instanceof Uint8Array ? { content: bytesOf(body), size: body.byteLength } : body;
  const said = Math.max(0, size + by);
  return {
    ...answer,
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

/** Never answers; ends when the client, or the server, gives up. */
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
