import type { IncomingMessage, ServerResponse } from 'node:http';

import { systemClock, type Clock } from '../clock.ts';
import { createEndpoints, type RegistryOptions } from './endpoints.ts';
import { errorResponse } from './errors.ts';
import type { CallResponse, Call, Middleware } from './exchange.ts';
import { bodyOf, drain, isUnread, sendResponse } from './bodies.ts';
import { memorySpool, type Spool } from './spool.ts';
import { UPLOAD_LIMITS, UploadSessions, type UploadLimits } from './upload-sessions.ts';

/** How a registry responds. */
export interface HandlerOptions extends RegistryOptions {
  /** The system clock by default. */
  readonly clock?: Pick<Clock, 'now'> | undefined;
  /** Holds uploads in progress; in memory by default. */
  readonly spool?: Spool | undefined;
  /** Bounds of unfinished uploads. */
  readonly uploadLimits?: UploadLimits | undefined;
  /** Called with a line for each request. */
  readonly log?: ((line: string) => void) | undefined;
  /** Called with a line for each failure of the registry itself; `log` by default. */
  readonly warn?: ((line: string) => void) | undefined;
  /** Wraps everything, guards included: faults of tests, counters. */
  readonly around?: Middleware | undefined;
}

/** A registry for node:http. */
export interface Handler {
  /** Handles the events `request` and, with `expectsContinue`, `checkContinue`. Never rejects. */
  readonly handle: (
    request: IncomingMessage,
    response: ServerResponse,
    options?: { readonly expectsContinue: boolean },
  ) => Promise<void>;
  /** Ends the uploads in progress. */
  readonly close: () => Promise<void>;
}

/**
 * Ends the connection without a response, or in the middle of one. Thrown by middleware to simulate
 * a failing peer.
 */
export class ConnectionCut extends Error {}

/** Bounds the uploads that a server without a spool holds in memory. */
const MEMORY_LIMITS: UploadLimits = { ...UPLOAD_LIMITS, bytes: 1024 ** 3 };

/**
 * Bytes read of a body that is dropped. Clients that notice an early response have stopped long
 * before.
 */
const DRAIN_BYTES = 16 * 1024 * 1024;

/**
 * Sent with every response: old docker clients look for the version, and no browser may guess that
 * a blob is a page.
 */
const COMMON_HEADERS = {
  'docker-distribution-api-version': 'registry/2.0',
  'x-content-type-options': 'nosniff',
};

/** Makes a registry over a place that a node:http or node:https server can serve. */
export function createHandler(options: HandlerOptions): Handler {
  const {
    clock = systemClock,
    log = () => undefined,
    warn = log,
    around = (call, next) => next(call),
  } = options;
  const sessions = new UploadSessions(
    options.spool ?? memorySpool(),
    clock,
    options.uploadLimits ?? (options.spool === undefined ? MEMORY_LIMITS : UPLOAD_LIMITS),
  );
  const endpoints = createEndpoints(options, sessions);

  const serve = async (call: Call): Promise<CallResponse> => {
    try {
      return await endpoints(call);
    } catch (error) {
      const refusal = errorResponse(error);
      if (refusal.status >= 500 && !call.signal.aborted)
        warn(`Cannot serve ${call.method} ${call.path}: ${reason(error)}`);
      return refusal;
    }
  };

  return {
    handle: async (request, response, { expectsContinue } = { expectsContinue: false }) => {
      const startedMs = clock.now();
      const exchange = toExchange(request, response, expectsContinue);
      const { call } = exchange;
      try {
        await sessions.expire();
        await respond(exchange, await around(call, serve));
      } catch (error) {
        response.destroy();
        if (!call.signal.aborted && !(error instanceof ConnectionCut))
          warn(`Cannot finish ${call.method} ${call.path}: ${reason(error)}`);
      }
      const status = response.writableFinished ? String(response.statusCode) : 'cut';
      log(
        `${request.socket.remoteAddress ?? '-'} ${call.method} ${request.url ?? ''} ${status} ${clock.now() - startedMs} ms`,
      );
    },
    close: () => sessions.close(),
  };
}

async function respond(
  { request, response, mustContinue }: Exchange,
  result: CallResponse,
): Promise<void> {
  const head = request.method === 'HEAD';
  const sent: CallResponse = { ...result, headers: { ...COMMON_HEADERS, ...result.headers } };
  if (!isUnread(request)) return sendResponse(response, sent, { head });
  // The client sends nothing before `100 Continue`, which will not be sent now.
  if (mustContinue())
    return sendResponse(
      response,
      { ...sent, headers: { ...sent.headers, connection: 'close' } },
      { head },
    );
  // The store had the content already. A response in the middle of a body confuses clients, so the
  // whole body is read.
  if (result.status < 400 && !(await drain(request, Infinity)))
    throw new ConnectionCut('Client left before the end of its request');
  // A refusal is sent at once, then the body is read: with unread bytes the socket would be reset
  // and the refusal lost.
  const drained = drain(request, DRAIN_BYTES);
  await sendResponse(response, sent, { head });
  if (!(await drained)) request.destroy();
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: Call;
  /** True if the client waits for `100 Continue` before it sends its body. */
  readonly mustContinue: () => boolean;
}

function toExchange(
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
): Exchange {
  const { target, headers } = originForm(request);
  const mark = target.indexOf('?');
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  let waits = expectsContinue;
  const body = bodyOf(request, () => {
    if (waits) response.writeContinue();
    waits = false;
  });
  const call: Call = {
    method: request.method ?? '',
    path: mark < 0 ? target : target.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
    headers,
    body,
    signal: gone.signal,
  };
  return { request, response, call, mustContinue: () => waits };
}

const ABSOLUTE_FORM = /^https?:\/\/(?<host>[^/?]*)(?<rest>.*)$/i;

/**
 * Returns the path and headers of a request. A client that takes the registry for a proxy writes
 * its name before the path; that name then replaces the Host header.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
 */
function originForm({ url: target = '', headers }: IncomingMessage): {
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
} {
  const { host, rest } = ABSOLUTE_FORM.exec(target)?.groups ?? {};
  if (host === undefined || rest === undefined) return { target, headers };
  return { target: rest, headers: { ...headers, host } };
}

function reason(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
