import type { Socket } from 'node:net';

import { LIMITS } from '../limits.ts';
import { printable } from '../redact.ts';
import { ProxyError } from './errors.ts';
import type { ProxyServer } from './proxy.ts';

const END_OF_HEAD = '\r\n\r\n';

/**
 * Asks a proxy that `socket` is connected to for a tunnel. Afterwards every byte goes to `origin`; nothing of its first answer has been
 * read. What proves who we are to the proxy is in this one request, and nowhere else.
 *
 * @throws {ProxyError} when the proxy refuses.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
 */
export function openTunnel(socket: Socket, origin: URL, { url, authorization }: ProxyServer): Promise<void> {
  const authority = `${origin.hostname}:${origin.port === '' ? (origin.protocol === 'https:' ? 443 : 80) : origin.port}`;
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`])];
  return new Promise((resolve, reject) => {
    let head = '';
    const settle = (error?: Error): void => {
      socket.off('data', onData).off('error', settle).off('close', onClose).pause();
      if (error === undefined) resolve();
      else reject(error);
    };
    const onClose = (): void => settle(new ProxyError(origin.host, url.host, 'CLOSED', 'it closed the connection unanswered'));
    const onData = (chunk: Buffer): void => {
      head += chunk.toString('latin1');
      const end = head.indexOf(END_OF_HEAD);
      if (end < 0) {
        if (head.length > LIMITS.headerBytes) settle(new ProxyError(origin.host, url.host, 'MALFORMED', 'it answered with too many headers'));
        return;
      }
      const [, status = '', reason = ''] = /^HTTP\/1\.[01] (\d{3})(?: ([^\r\n]*))?/.exec(head) ?? [];
      if (!status.startsWith('2')) return settle(refusal(origin, url, status, reason));
      // A server speaks only after the client's hello: whatever follows the head is no part of the tunnel.
      settle(head.length > end + END_OF_HEAD.length ? new ProxyError(origin.host, url.host, 'MALFORMED', 'it spoke into the tunnel') : undefined);
    };
    socket.on('data', onData).once('error', settle).once('close', onClose);
    socket.write(`${lines.join('\r\n')}${END_OF_HEAD}`);
  });
}

function refusal(origin: URL, proxy: URL, status: string, reason: string): ProxyError {
  if (status === '') return new ProxyError(origin.host, proxy.host, 'MALFORMED', 'what answers there speaks no http');
  if (status === '407') return ProxyError.unauthorized(origin.host, proxy.host);
  return new ProxyError(origin.host, proxy.host, 'REFUSED', `it refused with status ${status}${reason === '' ? '' : ` (${printable(reason, 80)})`}`);
}
