import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';

import type { Certificates } from './certificates.ts';
import { afterFile } from '../cleanup.ts';

export interface TestServer {
  /** `http://127.0.0.1:PORT`, or https. */
  readonly origin: string;
  readonly port: number;
  /** The URL of a path on this server. */
  url(path: string): URL;
}

/**
 * Starts an HTTP server on a free port of 127.0.0.1, with TLS when certificates are given. It ends
 * with the test file.
 */
export async function startHttpServer(
  onRequest: RequestListener,
  certificates?: Certificates,
): Promise<TestServer> {
  const server: Server =
    certificates === undefined
      ? createServer(onRequest)
      : createTlsServer({ cert: certificates.cert, key: certificates.key }, onRequest);
  // Node closes connections that are idle for 5 seconds: on a slow machine just when the next
  // request comes.
  server.keepAliveTimeout = 0;
  afterFile(() => void server.closeAllConnections());
  return listen(server, certificates === undefined ? 'http' : 'https');
}

/**
 * Starts a TCP server that sends what `onConnection` writes, for framing faults and silence. It
 * ends with the test file.
 */
export async function startRawServer(onConnection: (socket: Socket) => void): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    // Clients hang up in most of these tests.
    socket.on('error', () => {});
    onConnection(socket);
  });
  afterFile(() => {
    for (const socket of sockets) socket.destroy();
  });
  return listen(server, 'http');
}

async function listen(server: TcpServer, scheme: 'http' | 'https'): Promise<TestServer> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  afterFile(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const origin = `${scheme}://127.0.0.1:${port}`;
  return { origin, port, url: (path) => new URL(path, origin) };
}
