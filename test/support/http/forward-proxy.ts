import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';

import type { Certificates } from './certificates.ts';
import { afterFile } from '../cleanup.ts';

export interface ForwardProxyOptions {
  /** Certificates of the proxy; plain http when absent. */
  readonly certificates?: Certificates | undefined;
  /** `user:password` that clients must send. */
  readonly login?: string | undefined;
  /** Sends every connection to this port of 127.0.0.1. */
  readonly port?: number | undefined;
  /** The raw response to CONNECT instead of a tunnel. */
  readonly refusal?: string | undefined;
}

export interface ForwardProxy {
  readonly url: string;
  /** `CONNECT registry.test:443` or `GET http://registry.test/v2/`, oldest first. */
  readonly requests: readonly string[];
}

/** Starts an http proxy on loopback: tunnels by CONNECT, and plain http by the whole URL. */
export async function startForwardProxy({
  certificates,
  login,
  port,
  refusal,
}: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const isAllowed = ({ headers }: IncomingMessage): boolean =>
    login === undefined ||
    headers['proxy-authorization'] === `Basic ${Buffer.from(login).toString('base64')}`;
  const server: Server =
    certificates === undefined
      ? createServer()
      : createTlsServer({ cert: certificates.cert, key: certificates.key });
  server.on('request', (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (!isAllowed(request)) return void response.writeHead(407).end();
    const target = new URL(request.url ?? '');
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = httpRequest({
      host: '127.0.0.1',
      port: port ?? target.port,
      path: `${target.pathname}${target.search}`,
      method: request.method,
      headers,
    });
    onward.once('response', (answer) =>
      answer.pipe(response.writeHead(answer.statusCode ?? 500, answer.headers)),
    );
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, socket: Socket) => {
    requests.push(`CONNECT ${request.url}`);
    socket.on('error', () => {});
    if (refusal !== undefined) return void socket.end(refusal);
    if (!isAllowed(request))
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    const onward = connect({
      host: '127.0.0.1',
      port: port ?? Number(/\d+$/.exec(request.url ?? '')?.[0]),
    });
    for (const end of [socket, onward]) sockets.add(end);
    onward.on('error', () => socket.destroy());
    onward.once('connect', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterFile(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  const { port: own } = server.address() as AddressInfo;
  return { url: `${certificates === undefined ? 'http' : 'https'}://127.0.0.1:${own}`, requests };
}
