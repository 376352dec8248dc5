import type { IncomingMessage, ServerResponse } from 'node:http';

import { systemClock, type Clock } from '../clock.ts';
import { createEndpoints, type RegistryOptions } from './endpoints.ts';
import { errorAnswer } from './errors.ts';
import type { Answer, Call, Middleware } from './exchange.ts';
import { bodyOf, drain, isUnread } from './request-body.ts';
import { sendAnswer } from './send-response.ts';
import { memorySpool, type Spool } from './spool.ts';
import { UPLOAD_LIMITS, UploadSessions, type UploadLimits } from './upload-sessions.ts';

export interface HandlerOptions extends RegistryOptions {
  /** The system's when absent. */
  readonly clock?: Pick<Clock, 'now'> | undefined;
  /** Where unfinished uploads wait; memory when absent. */
  readonly spool?: Spool | undefined;
  readonly uploadLimits?: UploadLimits | undefined;
  /** Takes a line for each request. */
  readonly log?: ((line: string) => void) | undefined;
  /** Takes a line for each failure of the registry itself; `log` does when absent. */
  readonly warn?: ((line: string) => void) | undefined;
  /** Stands around everything, guards included: faults of tests, counters. */
  readonly around?: Middleware | undefined;
}

/** A registry as node:http wants it. */
export interface Handler {
  /** For the events `request` and, with `expectsContinue`, `checkContinue`. Never rejects. */
  readonly handle: (
    request: IncomingMessage,
    response: ServerResponse,
    options?: { readonly expectsContinue: boolean },
  ) => Promise<void>;
  /** Ends the uploads that are not finished. */
  readonly close: () => Promise<void>;
}

/** Ends the connection without an answer, or in the middle of one. Thrown by middleware to play a peer that fails. */
export class ConnectionCut extends Error {}

/** Without a spool of its own a server keeps unfinished uploads in memory, and this much of them at most. */
const MEMORY_LIMITS: UploadLimits = { ...UPLOAD_LIMITS, bytes: 1024 ** 3 };

/** What is still read of a body nobody wants. Clients that look for an early answer have stopped long before. */
const DRAIN_BYTES = 16 * 1024 * 1024;

/** On every answer: clients of docker's time ask for the version, and no browser shall guess that a blob is a page. */
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

  const answer = async (call: Call): Promise<Answer> => {
    try {
      return await endpoints(call);
    } catch (error) {
      const refusal = errorAnswer(error);
      if (refusal.status >= 500 && !call.signal.aborted)
        warn(`Cannot answer ${call.method} ${call.path}: ${reason(error)}`);
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
        await respond(exchange, await around(call, answer));
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
  answer: Answer,
): Promise<void> {
  const head = request.method === 'HEAD';
  const sent: Answer = { ...answer, headers: { ...COMMON_HEADERS, ...answer.headers } };
  if (!isUnread(request)) return sendAnswer(response, sent, { head });
  // Nothing comes before `100 Continue`, which nobody will send now.
  if (mustContinue())
    return sendAnswer(
      response,
      { ...sent, headers: { ...sent.headers, connection: 'close' } },
      { head },
    );
  // The store had the content already. An answer in the middle of a body confuses clients, so they say all they have to say.
  if (answer.status < 400 && !(await drain(request, Infinity)))
    throw new ConnectionCut('Client left before the end of its request');
  // A refusal is sent at once, and the body read on: with unread bytes the socket would be reset and the refusal lost.
  const drained = drain(request, DRAIN_BYTES);
  await sendAnswer(response, sent, { head });
  if (!(await drained)) request.destroy();
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly call: Call;
  /** Whether the client waits for `100 Continue` before it sends its body. */
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
 * What is asked for and under which name. Clients that take a registry for a proxy write its name before the path; it counts then in
 * place of the header.
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
