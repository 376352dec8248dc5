import type { Socket } from 'node:net';

import { expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { discard } from '../../src/http/body.ts';
import { startHttpServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';

/**
 * Answers one request on each connection and closes it at the next: what a client meets whose
 * request crosses the end of the connection.
 */
async function startClosingServer() {
  const used = new WeakSet<Socket>();
  return startHttpServer((request, response) => {
    if (used.has(request.socket)) return void request.socket.destroy();
    used.add(request.socket);
    request.resume().once('end', () => response.writeHead(202).end());
  });
}

test('send() opens a new connection for an upload after a server closed one unannounced', async () => {
  const server = await startClosingServer();
  const transport = testTransport();
  const upload = async (): Promise<number | string> => {
    await discard(await transport.send({ method: 'POST', url: server.url('/uploads/') }));
    const body = { content: bytesOf(Buffer.from('layer')), size: 5 };
    const answer = await transport
      .send({ method: 'PUT', url: server.url('/uploads/1'), body })
      .catch((error: { code: string }) => error.code);
    return typeof answer === 'string' ? answer : answer.status;
  };
  expect([await upload(), await upload()]).toEqual(['NETWORK', 202]);
});
