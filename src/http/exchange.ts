import type { Readable } from 'node:stream';

import type { Dispatcher } from 'undici';

import { bytesOf } from '../bytes.ts';
import { contentLength } from './body.ts';
import { BodyPace, Watchdog } from './pace.ts';
import type { Connection } from './connection.ts';
import {
  bodySizeError,
  describe,
  exchangeError,
  ProxyError,
  TimeoutError,
  type Phase,
} from './errors.ts';
import { headersOf, type HttpRequest, type HttpResponse, type StreamBody } from './message.ts';
import { IncomingBody } from './incoming-body.ts';
import { OutgoingBody } from './outgoing-body.ts';

/** Bodies from this size on are read into slabs. Bytes. */
const BULK_BYTES = 256 * 1024;

export interface ExchangeOptions {
  /** Longest time without any progress on either side. Milliseconds. */
  readonly idleTimeoutMs: number;
  /** Longest time from the end of the request to the head of the response. Milliseconds. */
  readonly responseTimeoutMs: number;
  readonly userAgent: string;
  /** Called once, when the connection is not needed any more. */
  readonly onOver: (end: ExchangeEnd) => void;
}

/**
 * `done`: the connection can be used again. `no-response`: it broke before the response. `broken`:
 * all other failures.
 */
export type ExchangeEnd = 'done' | 'no-response' | 'broken';

/**
 * Sends one request on a connection and receives its response.
 *
 * @throws the signal's reason, the error of the request's content, or one of errors.ts. After the
 *   head of the response they are thrown by its body.
 */
export function exchange(
  connection: Connection,
  request: HttpRequest,
  options: ExchangeOptions,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    new Exchange(connection, request, options, { resolve, reject }).start();
  });
}

interface Settle {
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: unknown) => void;
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #connection: Connection;
  readonly #request: HttpRequest;
  readonly #options: ExchangeOptions;
  readonly #settle: Settle;
  readonly #watchdog = new Watchdog();
  readonly #outgoing: OutgoingBody | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #incoming: IncomingBody | undefined;
  /** The caller has the response or an error. */
  #isSettled = false;
  /** The connection was given back. */
  #isOver = false;

  constructor(
    connection: Connection,
    request: HttpRequest,
    options: ExchangeOptions,
    settle: Settle,
  ) {
    this.#connection = connection;
    this.#request = request;
    this.#options = options;
    this.#settle = settle;
    const body = streamOf(request);
    if (body !== undefined) this.#outgoing = this.#openOutgoing(body);
  }

  start(): void {
    const { method, url, headers, signal } = this.#request;
    signal?.addEventListener('abort', this.#onAbort);
    const size = streamOf(this.#request)?.size;
    const { forwarder } = this.#connection;
    const proxyAuthorization = forwarder?.authorization;
    const options: Dispatcher.DispatchOptions = {
      method,
      path: `${forwarder === undefined ? '' : url.origin}${url.pathname}${url.search}`,
      headers: {
        ...(proxyAuthorization !== undefined && { 'proxy-authorization': proxyAuthorization }),
        'user-agent': this.#options.userAgent,
        // A server that compresses on the fly sends bytes with another digest.
        'accept-encoding': 'identity',
        ...headers,
        ...(size !== undefined && { 'content-length': String(size) }),
      },
      // undici takes any async iterable; its types do not say so.
      ...(this.#outgoing && { body: this.#outgoing as unknown as Readable }),
      // Otherwise undici closes the connection after every HEAD.
      ...(method === 'HEAD' && { reset: false }),
    };
    this.#connection.dispatch(options, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#outgoing === undefined) this.#awaitResponse();
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.#isOver) return;
    const { url } = this.#request;
    const { forwarder } = this.#connection;
    if (status === 407 && forwarder !== undefined)
      return this.#fail(
        ProxyError.unauthorized(url.host, forwarder, headersOf(headers).get('proxy-authenticate')),
      );
    this.#watchdog.stop();
    const body = this.#openIncoming();
    this.#incoming = body;
    const response = {
      status,
      headers: headersOf(headers),
      url,
      remoteAddress: this.#connection.remoteAddress,
      body,
    };
    if (this.#request.method !== 'HEAD' && (contentLength(response) ?? Infinity) >= BULK_BYTES)
      this.#connection.reader?.startBulk();
    void this.#deliver(response);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#incoming?.push(chunk) === false) controller.pause();
  }

  onResponseEnd(): void {
    this.#incoming?.finish();
    this.#over('done');
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    // A request that undici refuses to send is a bug of regi.
    const isBug = 'code' in error && error.code === 'UND_ERR_INVALID_ARG';
    const end = this.#phase() === 'response' ? 'no-response' : 'broken';
    this.#fail(
      isBug
        ? error
        : exchangeError(this.#request, this.#phase(), this.#connection.failure ?? error),
      end,
    );
  }

  /** Delivers the response, unless the source of a body that was sent whole still objects. */
  async #deliver(response: HttpResponse): Promise<void> {
    await this.#outgoing?.settle();
    this.#isSettled = true;
    this.#settle.resolve(response);
    this.#unlisten();
  }

  #openOutgoing(body: StreamBody): OutgoingBody {
    const { idleTimeoutMs } = this.#options;
    const hooks = {
      given: () => this.#watch(idleTimeoutMs, 'the server takes no more bytes'),
      flushed: () => this.#unwatch(),
      sent: () => this.#awaitResponse(),
      failed: (error: unknown) => this.#fail(error),
    };
    return new OutgoingBody(body, hooks, (found) => bodySizeError(this.#request, body.size, found));
  }

  #openIncoming(): IncomingBody {
    const { idleTimeoutMs } = this.#options;
    const pace = new BodyPace(idleTimeoutMs);
    const onTimeout = (): void => {
      const what =
        pace.bytes === 0
          ? 'the server sends no more bytes'
          : `the server sends no more than ${pace.bytes} bytes`;
      this.#fail(this.#timeout(idleTimeoutMs, what));
    };
    return new IncomingBody({
      wanted: () => {
        this.#watchdog.start(pace.started(), onTimeout);
        this.#controller?.resume();
      },
      satisfied: (bytes) => {
        this.#watchdog.stop();
        pace.came(bytes);
      },
      left: () => this.#over('broken'),
      hold: (chunk) => this.#connection.reader?.hold(chunk),
    });
  }

  #awaitResponse(): void {
    this.#watch(this.#options.responseTimeoutMs, 'no response');
  }

  /** Watches the request. From the head of the response on, the watchdog watches its body. */
  #watch(ms: number, what: string): void {
    if (this.#incoming === undefined && !this.#isOver)
      this.#watchdog.start(ms, () => this.#fail(this.#timeout(ms, what)));
  }

  #unwatch(): void {
    if (this.#incoming === undefined) this.#watchdog.stop();
  }

  #timeout(timeoutMs: number, what: string): TimeoutError {
    const message = `Cannot ${describe(this.#request)}: ${what} for ${timeoutMs / 1000} s`;
    return new TimeoutError(message, this.#phase(), {
      hint: 'try again, or allow more with --timeout',
    });
  }

  #phase(): Phase {
    if (this.#incoming !== undefined) return 'body';
    return this.#controller === undefined ? 'connect' : 'response';
  }

  readonly #onAbort = (): void => this.#fail(this.#request.signal?.reason);

  /** Reports the first failure only; the connection is not used again. */
  #fail(error: unknown, end: ExchangeEnd = 'broken'): void {
    if (this.#isSettled && this.#isOver) return;
    this.#isSettled = true;
    this.#settle.reject(error);
    this.#incoming?.abort(error);
    this.#outgoing?.leave();
    this.#over(end);
    this.#unlisten();
  }

  #over(end: ExchangeEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#watchdog.end();
    this.#connection.reader?.endBulk();
    this.#outgoing?.release();
    this.#options.onOver(end);
    this.#unlisten();
  }

  /** The signal belongs to the whole command and outlives the exchange. */
  #unlisten(): void {
    if (this.#isSettled && this.#isOver)
      this.#request.signal?.removeEventListener('abort', this.#onAbort);
  }
}

function streamOf({ body }: HttpRequest): StreamBody | undefined {
  if (!(body instanceof Uint8Array)) return body;
  return body.byteLength === 0 ? undefined : { content: bytesOf(body), size: body.byteLength };
}
