import type { Socket } from 'node:net';

import { LIMITS } from '../../limits.ts';
import { printable } from '../../redact.ts';
import { hostNameOf, portOf } from '../address.ts';
import { ProxyError } from '../errors.ts';
import type { HttpProxy, SocksProxy } from './proxy.ts';

const END_OF_HEAD = '\r\n\r\n';

/**
 * Asks the proxy behind `socket` for a tunnel. Afterwards every byte goes to `origin`, and none of
 * its bytes has been read. The proxy's credentials are in this one request, and nowhere else.
 *
 * @throws {ProxyError} when the proxy refuses.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
 */
export function openHttpTunnel(socket: Socket, origin: URL, proxy: HttpProxy): Promise<void> {
  const { authorization } = proxy;
  const authority = `${origin.hostname}:${portOf(origin)}`;
  const lines = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`]),
  ];
  const fault = (name: string, text: string): ProxyError =>
    new ProxyError(origin.host, proxy, name, text);
  return new Promise((resolve, reject) => {
    let head = '';
    const settle = (error?: Error): void => {
      socket.off('data', onData).off('error', settle).off('close', onClose).pause();
      if (error === undefined) resolve();
      else reject(error);
    };
    const onClose = (): void =>
      settle(fault('CLOSED', 'it closed the connection without a response'));
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const end = head.indexOf(END_OF_HEAD);
      if (end < 0) {
        if (head.length > LIMITS.headerBytes)
          settle(fault('MALFORMED', 'it sent too many headers'));
        return;
      }
      const [, status = '', reason = ''] =
        /^HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?/.exec(head) ?? [];
      if (status === '407') {
        const offered = [...head.matchAll(/^proxy-authenticate:(.*)$/gim)].map(([, text]) => text);
        return settle(ProxyError.unauthorized(origin.host, proxy, offered.join(',') || undefined));
      }
      if (status === '') return settle(fault('MALFORMED', 'it does not speak http'));
      if (!status.startsWith('2'))
        return settle(fault('REFUSED', `it refused with status ${status}${inBrackets(reason)}`));
      // A server waits for the client's hello: bytes after the head are no part of the tunnel.
      settle(
        head.length > end + END_OF_HEAD.length
          ? fault('MALFORMED', 'it sent bytes into the tunnel')
          : undefined,
      );
    };
    socket.on('data', onData).once('error', settle).once('close', onClose);
    socket.write(`${lines.join('\r\n')}${END_OF_HEAD}`);
  });
}

function inBrackets(reason: string): string {
  return reason === '' ? '' : ` (${printable(reason, 80)})`;
}

/**
 * Asks the SOCKS5 proxy behind `socket` for a tunnel. Afterwards every byte goes to `origin`. The
 * proxy resolves the name, with `socks5://` as with `socks5h://`: so do Go programs, and a machine
 * behind such a proxy often cannot.
 *
 * @param timeoutMs ends the handshake, if the caller does not destroy the socket sooner.
 * @throws {ProxyError} when the proxy refuses.
 * @see https://www.rfc-editor.org/rfc/rfc1928
 */
export async function openSocksTunnel(
  socket: Socket,
  origin: URL,
  proxy: SocksProxy,
  timeoutMs: number,
): Promise<void> {
  const { url, login } = proxy;
  let failure: Error | undefined;
  const onError = (error: Error): void => {
    failure = error;
  };
  socket.once('error', onError);
  try {
    const { SocksClient } = await import('socks');
    if (socket.destroyed) throw failure ?? new Error('the connection was given up');
    await SocksClient.createConnection({
      command: 'connect',
      existing_socket: socket,
      destination: { host: hostNameOf(origin), port: portOf(origin) },
      proxy: {
        host: hostNameOf(url),
        port: portOf(url),
        type: 5,
        ...(login && { userId: login.user, password: login.password }),
      },
      timeout: timeoutMs,
    });
  } catch (error) {
    // Without a cause: an error of that package holds the password.
    throw failure ?? socksError(origin, proxy, error instanceof Error ? error.message : '');
  } finally {
    socket.off('error', onError);
  }
}

/** @param text the words of the package `socks`, whose errors have no code. */
function socksError(origin: URL, proxy: SocksProxy, text: string): ProxyError {
  if (/Authentication failed|no accepted authentication type/.test(text))
    return ProxyError.unauthorized(origin.host, proxy);
  const fault = (name: string, words: string): ProxyError =>
    new ProxyError(origin.host, proxy, name, words);
  const refused = /rejected connection - (\w+)/.exec(text)?.[1];
  if (refused !== undefined)
    return fault('REFUSED', `it refused: ${SOCKS_REFUSALS[refused] ?? 'for a reason of its own'}`);
  if (/Socket closed/.test(text))
    return fault('CLOSED', 'it closed the connection without a response');
  if (/socks version|unknown authentication type/.test(text))
    return fault('MALFORMED', 'it does not speak SOCKS5');
  return fault('MALFORMED', printable(text, 200));
}

/** @see https://www.rfc-editor.org/rfc/rfc1928#section-6 */
const SOCKS_REFUSALS: Readonly<Record<string, string>> = {
  Failure: 'general failure',
  NotAllowed: 'its rules forbid this connection',
  NetworkUnreachable: 'no route to that network',
  HostUnreachable: 'no route to that host, or no such host',
  ConnectionRefused: 'connection refused',
  TTLExpired: 'no response',
  CommandNotSupported: 'it opens no connections',
  AddressNotSupported: 'it does not support this kind of address',
};
