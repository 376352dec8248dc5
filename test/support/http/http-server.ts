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
  /** The URL of a path here. */
  url(path: string): URL;
}

/** Starts a real HTTP server on a free port of 127.0.0.1, over TLS when there are certificates. It ends with the test file. */
export async function startHttpServer(
  onRequest: RequestListener,
  certificates?: Certificates,
): Promise<TestServer> {
  const server: Server =
    certificates === undefined
      ? createServer(onRequest)
      : createTlsServer({ cert: certificates.cert, key: certificates.key }, onRequest);
  // Node closes a connection that was free for 5 seconds: on a slow machine in the very moment of the next request.
  server.keepAliveTimeout = 0;
  afterFile(() => void server.closeAllConnections());
  return listen(server, certificates === undefined ? 'http' : 'https');
}

/** Starts a TCP server that says what `onConnection` writes: framing faults and silence. It ends with the test file. */
export async function startRawServer(onConnection: (socket: Socket) => void): Promise<TestServer> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    // A client that hangs up is what most of these tests are about.
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
