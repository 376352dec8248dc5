import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

import { bytesOf } from '../../../src/bytes.ts';
import type { StreamBody } from '../../../src/http/message.ts';
import type { Call, Middleware } from '../../../src/server/exchange.ts';
import { createHandler, type HandlerOptions } from '../../../src/server/handler.ts';
import { parseRoute, type Route } from '../../../src/server/router.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import type { Bytes, Place } from '../../../src/store.ts';
import { afterFile } from '../cleanup.ts';
import { fakeAuthority, type FakeAuth, type FakeAuthority } from './fake-auth.ts';
import { isMatch, playFault, type Fault, type FaultyLine, type Match } from './fake-faults.ts';

export type { FakeAuth } from './fake-auth.ts';
export type { Fault, FaultAction, Match } from './fake-faults.ts';

export interface FakeRegistryOptions extends Partial<
  Pick<HandlerOptions, 'readOnly' | 'sparse' | 'spool' | 'uploadLimits' | 'clock'>
> {
  /** An in-memory place when absent. */
  readonly place?: Place | undefined;
  readonly faults?: readonly Fault[] | undefined;
  readonly auth?: FakeAuth | undefined;
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Host names it accepts besides addresses and localhost, for an injected lookup. */
  readonly allowedHosts?: readonly string[] | undefined;
}

/** A request that reached the fake. */
export interface FakeRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  /** The endpoint of the path; `other` for none. */
  readonly kind: Route['kind'] | 'token' | 'other';
  readonly headers: Call['headers'];
  /** Bytes of its body read so far. */
  readonly bytes: number;
  /** Bytes of the response body sent so far. */
  readonly sent: number;
  /** Name of the fault that struck it. */
  readonly fault: string | undefined;
  /** Undefined before the response, and for ever when the connection closed before the head. */
  readonly status: number | undefined;
}

export interface Held {
  /** Resolves when a request waits at the gate. */
  readonly reached: Promise<void>;
  /** Opens the gate for waiting and later requests. */
  readonly release: () => void;
}

export interface FakeRegistry {
  /** `127.0.0.1:PORT`, as it is written in a reference. */
  readonly host: string;
  readonly url: string;
  /** Its content, to prepare and check it without requests. */
  readonly place: Place;
  /** Oldest first, token requests included. */
  readonly requests: readonly FakeRequest[];
  /** Number of requests of a kind: `count('HEAD', 'blob')`. */
  count(method: string, kind?: FakeRequest['kind']): number;
  forgetRequests(): void;
  /** Connections opened since the start. */
  connections(): number;
  /** Adds a fault. The oldest one that matches strikes a request, and no other does. */
  fault(fault: Fault): void;
  /** Removes the faults that have not struck. */
  forgetFaults(): void;
  /** Makes requests wait until they are released, to test a race without sleeping. */
  hold(match: Match): Held;
  /** The token service; undefined without authentication. */
  readonly authority: FakeAuthority | undefined;
  /** Cuts all connections and stops. Also called after the last test of the file. */
  stop(): Promise<void>;
}

/**
 * Starts a registry on a free port of loopback: the real server of regi, with faults on request.
 */
export async function startFakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const place = options.place ?? createMemoryPlace();
  const log: Mutable<FakeRequest>[] = [];
  const faults = (options.faults ?? []).map((fault) => ({ fault, left: fault.times ?? 1 }));
  const gates: Gate[] = [];
  const sockets = new WeakMap<Call['headers'], Socket>();
  let connections = 0;
  let refused = 0;
  let host = '';
  const scheme = options.tls === undefined ? 'http' : 'https';
  const authority =
    options.auth === undefined
      ? undefined
      : fakeAuthority(options.auth, () => `${scheme}://${host}`);

  const around: Middleware = async (call, next) => {
    const { method, headers } = call;
    const entry: Mutable<FakeRequest> = {
      method,
      url: urlOf(call),
      kind: kindOf(call.path),
      headers,
      bytes: 0,
      sent: 0,
      fault: undefined,
      status: undefined,
    };
    log.push(entry);
    const counted: Call = {
      ...call,
      body: { ...call.body, content: counting(call.body.content, entry) },
    };
    await Promise.all(
      gates.filter((gate) => isMatch(call, gate.match)).map((gate) => gate.pass(call.signal)),
    );
    const struck = faults.find(({ fault, left }) => left > 0 && isMatch(call, fault.match));
    const serve = async (inner: Call): ReturnType<typeof next> =>
      (await authority?.token(inner)) ?? next(inner);
    if (struck !== undefined) {
      struck.left -= 1;
      entry.fault = struck.fault.name;
    }
    const line: FaultyLine = {
      writeRaw: (text) => void sockets.get(headers)?.write(text),
      refuse: (count) => (refused = count),
    };
    const answer = await (struck === undefined
      ? serve(counted)
      : playFault(struck.fault.action, line)(counted, serve));
    entry.status = answer.status;
    return answer.body === undefined
      ? answer
      : { ...answer, body: countingAnswer(answer.body, entry) };
  };

  const handler = createHandler({
    clock: { now: () => Date.now() },
    ...options,
    place,
    around,
    authenticate: authority?.authenticate,
  });
  const server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
  // Node closes connections that are idle for 5 seconds: on a slow machine just when the next
  // request comes.
  server.keepAliveTimeout = 0;
  server.on('request', (request, response) => {
    sockets.set(request.headers, request.socket);
    void handler.handle(request, response);
  });
  server.on(
    'checkContinue',
    (request, response) => void handler.handle(request, response, { expectsContinue: true }),
  );
  server.on(
    options.tls === undefined ? 'connection' : 'secureConnection',
    () => (connections += 1),
  );
  server.on('connection', (socket: Socket) => {
    if (refused <= 0) return;
    refused -= 1;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  let stopped: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    await handler.close();
  };
  const stop = (): Promise<void> => (stopped ??= end());
  afterFile(stop);

  return {
    host,
    url: `${scheme}://${host}`,
    place,
    requests: log,
    authority,
    stop,
    count: (method, kind) =>
      log.filter(
        (request) => request.method === method && (kind === undefined || request.kind === kind),
      ).length,
    forgetRequests: () => void log.splice(0),
    connections: () => connections,
    fault: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    forgetFaults: () => {
      faults.splice(0);
      refused = 0;
    },
    hold(match) {
      const gate = makeGate(match);
      gates.push(gate);
      return gate;
    },
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Gate extends Held {
  readonly match: Match;
  readonly pass: (signal: AbortSignal) => Promise<void>;
}

function makeGate(match: Match): Gate {
  let release = (): void => undefined;
  let reach = (): void => undefined;
  const opened = new Promise<void>((resolve) => (release = resolve));
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const pass = async (signal: AbortSignal): Promise<void> => {
    reach();
    const left = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([opened, left]);
  };
  return { match, reached, release: () => release(), pass };
}

function countingAnswer(body: Uint8Array | StreamBody, entry: { sent: number }): StreamBody {
  const { content, size } =
    body instanceof Uint8Array ? { content: bytesOf(body), size: body.byteLength } : body;
  return {
    size,
    content: {
      async *[Symbol.asyncIterator]() {
        for await (const chunk of content) {
          yield chunk;
          entry.sent += chunk.byteLength;
        }
      },
    },
  };
}

function counting(content: Bytes, entry: { bytes: number }): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of content) {
        entry.bytes += chunk.byteLength;
        yield chunk;
      }
    },
  };
}

function urlOf({ path, query }: Call): string {
  return query.size === 0 ? path : `${path}?${decodeURIComponent(query.toString())}`;
}

function kindOf(path: string): FakeRequest['kind'] {
  if (path === '/token') return 'token';
  try {
    return parseRoute(path).kind;
  } catch {
    // The request is logged, and the registry refuses it.
    return 'other';
  }
}
