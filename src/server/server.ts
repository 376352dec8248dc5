import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

import { RegiError } from '../errors.ts';
import { createHandler, type Handler, type HandlerOptions } from './handler.ts';

/** How a registry is served. */
export interface ServerOptions extends Omit<HandlerOptions, 'listenHost'> {
  /** 127.0.0.1 and a free port by default. */
  readonly listen?:
    | { readonly host?: string | undefined; readonly port?: number | undefined }
    | undefined;
  /** PEM texts; with them the server speaks only https. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Silence allowed on a connection during a request. Milliseconds. */
  readonly idleTimeoutMs?: number | undefined;
  /** Stops the server as `close()` does. */
  readonly signal?: AbortSignal | undefined;
}

/** A registry that listens. */
export interface RunningServer {
  /** The address of the server. */
  readonly url: URL;
  /** The port. */
  readonly port: number;
  /** Accepts no new connections, lets transfers finish, then frees everything. */
  readonly close: () => Promise<void>;
  /** Cuts running transfers, then frees everything. */
  readonly destroy: () => Promise<void>;
}

const DEFAULT_HOST = '127.0.0.1';
const HEADER_BYTES = 32 * 1024;
const HEADERS_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 60_000;
/**
 * Longer than clients and proxies keep theirs, so that the server never closes a connection under a
 * request.
 */
const KEEP_ALIVE_MS = 75_000;

/**
 * Serves a place as an OCI registry.
 *
 * @throws {RegiError} with code FAILED when the address is taken or belongs to another machine.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  options.signal?.throwIfAborted();
  const host = options.listen?.host ?? DEFAULT_HOST;
  const handler = createHandler({ ...options, listenHost: host });
  const server = createServer(options);
  attach(server, handler, options.idleTimeoutMs ?? IDLE_TIMEOUT_MS);
  await listen(server, host, options.listen?.port ?? 0);
  const { port } = server.address() as AddressInfo;

  let stopped: Promise<void> | undefined;
  const close = (): Promise<void> => (stopped ??= stop(server, handler));
  const destroy = async (): Promise<void> => {
    const closing = close();
    server.closeAllConnections();
    await closing;
  };
  const onAbort = (): void => {
    // A caller that needs to know the end calls close() and gets the same promise.
    close().catch(() => undefined);
  };
  options.signal?.addEventListener('abort', onAbort, { once: true });
  server.once('close', () => options.signal?.removeEventListener('abort', onAbort));
  return {
    url: new URL(
      `${options.tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}/`,
    ),
    port,
    close,
    destroy,
  };
}

function createServer({ tls }: ServerOptions): Server {
  // No bound on a whole request, because a layer may take hours; silence is bounded instead.
  const settings = {
    maxHeaderSize: HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  return tls === undefined
    ? createHttpServer(settings)
    : createHttpsServer({ ...settings, cert: tls.cert, key: tls.key, minVersion: 'TLSv1.2' });
}

function attach(server: Server, handler: Handler, idleTimeoutMs: number): void {
  const running = new Map<
    Socket,
    { readonly request: IncomingMessage; readonly response: ServerResponse }
  >();
  const handle = (
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ): void => {
    running.set(request.socket, { request, response });
    if (!server.listening) response.setHeader('connection', 'close');
    response.once('close', () => {
      running.delete(request.socket);
      // A connection that becomes idle after close() would keep the server up until it times out.
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
    // Never rejects.
    void handler.handle(request, response, { expectsContinue });
  };
  server.on('request', (request, response) => handle(request, response, false));
  server.on('checkContinue', (request, response) => handle(request, response, true));
  server.setTimeout(idleTimeoutMs, (socket: Socket) => {
    const exchange = running.get(socket);
    // The request is complete and no response was sent: the store is busy (a large blob is synced),
    // and the silence is our own.
    if (exchange !== undefined && exchange.request.complete && !exchange.response.headersSent)
      return;
    socket.destroy();
  });
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE';
      reject(
        new RegiError(
          'FAILED',
          `Cannot listen on ${host}:${port}: ${taken ? 'the port is in use' : cause.message}`,
          {
            cause,
            hint: taken
              ? 'choose another port with --listen HOST:PORT'
              : 'give an address of this machine with --listen HOST:PORT',
          },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
}

async function stop(server: Server, handler: Handler): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  await handler.close();
}
