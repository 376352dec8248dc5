import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { afterFile } from '../cleanup.ts';

export interface SocksProxyOptions {
  /** `user:password` that clients must send. */
  readonly login?: string | undefined;
  /** Sends every connection to this port of 127.0.0.1. */
  readonly port?: number | undefined;
  /** The reply code of RFC 1928 section 6 to each request; 0, success, when absent. */
  readonly reply?: number | undefined;
}

export interface SocksProxy {
  /** `127.0.0.1:1080`. */
  readonly host: string;
  /** `registry.test:443`, oldest first; names as they came, not resolved. */
  readonly requests: readonly string[];
}

const NO_LOGIN = 0;
const PASSWORD = 2;
const UNACCEPTABLE = 0xff;

/**
 * Starts a SOCKS5 proxy on loopback, after RFC 1928 and RFC 1929: CONNECT alone, to names and
 * addresses of both families.
 */
export async function startSocksProxy(options: SocksProxyOptions = {}): Promise<SocksProxy> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket, options, requests, sockets).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterFile(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

async function serve(
  socket: Socket,
  { login, port, reply = 0 }: SocksProxyOptions,
  requests: string[],
  sockets: Set<Socket>,
): Promise<void> {
  const read = reader(socket);
  const [version, count = 0] = await read(2);
  if (version !== 5) return void socket.destroy();
  const methods = await read(count);
  const method = login === undefined ? NO_LOGIN : PASSWORD;
  if (!methods.includes(method)) return void socket.end(Buffer.from([5, UNACCEPTABLE]));
  socket.write(Buffer.from([5, method]));
  if (method === PASSWORD) {
    const [, userLength = 0] = await read(2);
    const user = (await read(userLength)).toString();
    const [passwordLength = 0] = await read(1);
    const password = (await read(passwordLength)).toString();
    const isRight = `${user}:${password}` === login;
    socket.write(Buffer.from([1, isRight ? 0 : 1]));
    if (!isRight) return void socket.end();
  }
  const [, , , kind = 0] = await read(4);
  const host = await readHost(kind, read);
  const target = (await read(2)).readUInt16BE();
  requests.push(`${host}:${target}`);
  const head = [5, reply, 0, 1, 0, 0, 0, 0, 0, 0];
  if (reply !== 0) return void socket.end(Buffer.from(head));
  const onward = connect({ host: '127.0.0.1', port: port ?? target });
  sockets.add(onward);
  onward.on('error', () => socket.destroy());
  await once(onward, 'connect');
  socket.write(Buffer.from(head));
  socket.pipe(onward).pipe(socket);
}

type Read = (size: number) => Promise<Buffer>;

async function readHost(kind: number, read: Read): Promise<string> {
  if (kind === 1) return [...(await read(4))].join('.');
  if (kind === 4) {
    const groups = (await read(16)).toString('hex').match(/.{4}/g) ?? [];
    return `[${groups.join(':')}]`;
  }
  const [length = 0] = await read(1);
  return (await read(length)).toString();
}

/** Returns a function that reads exactly that many bytes, or rejects when the client ends. */
function reader(socket: Socket): Read {
  return async (size) => {
    if (size === 0) return Buffer.alloc(0);
    for (;;) {
      const bytes = socket.read(size) as Buffer | null;
      if (bytes !== null && bytes.byteLength === size) return bytes;
      if (socket.readableEnded || socket.destroyed) throw new Error('the client has ended');
      await once(socket, 'readable');
    }
  };
}
