import { describe, expect, test } from 'vitest';

import { NetworkError } from '../../src/http/errors.ts';
import { startHttpServer, startRawServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';

describe('send() to servers that do not speak valid HTTP', () => {
  test.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'Expected HTTP/, RTSP/ or ICE/'],
    ['a TLS alert', '\u0015\u0003\u0001\u0000\u0002\u0002\u0046', 'Expected HTTP/, RTSP/ or ICE/'],
    [
      'a Content-Length that is no number',
      'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n',
      'Invalid character in Content-Length',
    ],
    [
      '100 Continue',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
      'it says 100 Continue unasked',
    ],
    [
      'an upgrade',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
      'it switches protocols unasked',
    ],
  ])(
    'send() says of %s that it is not the HTTP that it should be',
    async (_what, answer, fault) => {
      const server = await startRawServer((socket) =>
        socket.once('data', () => socket.end(answer, 'latin1')),
      );
      const failure = testTransport().send({ method: 'GET', url: server.url('/x') });
      await expect(failure).rejects.toMatchObject({
        phase: 'response',
        reason: expect.stringMatching(/^HPE_/) as string,
        message: `Cannot GET "${server.origin}/x": the server does not speak valid HTTP (${fault})`,
      });
    },
  );

  test.each([
    [
      'two Content-Length headers',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab',
    ],
    ['a bare line feed smuggling a header', 'HTTP/1.1 200 OK\r\nx: a\rset-cookie: b\r\n\r\n'],
  ])('send() refuses %s', async (_what, answer) => {
    const server = await startRawServer((socket) =>
      socket.once('data', () => socket.end(answer, 'latin1')),
    );
    const error = await testTransport()
      .send({ method: 'GET', url: server.url('/') })
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ phase: 'response' });
  });

  test('send() refuses endless headers', async () => {
    const server = await startRawServer((socket) => {
      socket.once('data', () =>
        socket.write(`HTTP/1.1 200 OK\r\n${`x-filler: ${'y'.repeat(1000)}\r\n`.repeat(100)}\r\n`),
      );
    });
    await expect(
      testTransport().send({ method: 'GET', url: server.url('/') }),
    ).rejects.toMatchObject({ reason: 'UND_ERR_HEADERS_OVERFLOW' });
  });

  test('send() throws a network error of phase response when the connection closes without one', async () => {
    const server = await startRawServer((socket) => socket.once('data', () => socket.end()));
    await expect(
      testTransport().send({ method: 'GET', url: server.url('/') }),
    ).rejects.toMatchObject({
      code: 'NETWORK',
      phase: 'response',
      reason: 'UND_ERR_SOCKET',
    });
  });

  test('send() times out without a response', async () => {
    const server = await startHttpServer(() => {});
    const error = await testTransport({ idleTimeoutMs: 30, connectTimeoutMs: 10_000 })
      .send({ method: 'GET', url: server.url('/v2/') })
      .catch((error: unknown) => error);
    expect(error).toMatchObject({
      code: 'TIMEOUT',
      phase: 'response',
      message: `Cannot GET "${server.origin}/v2/": no response for 0.03 s`,
    });
  });

  test('send() waits for a slow PUT up to its timeout', async () => {
    const server = await startHttpServer((request, response) => {
      request.resume();
      request.once('end', () => setTimeout(() => response.writeHead(201).end(), 700));
    });
    const transport = testTransport({ idleTimeoutMs: 500, responseTimeoutMs: 60_000 });
    expect(
      (await transport.send({ method: 'PUT', url: server.url('/'), body: Buffer.from('manifest') }))
        .status,
    ).toBe(201);
    await expect(
      transport.send({ method: 'PUT', url: server.url('/'), responseTimeoutMs: 20 }),
    ).rejects.toMatchObject({ code: 'TIMEOUT' });
  });
});
