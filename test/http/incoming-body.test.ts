import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';

import { describe, expect, test } from 'vitest';

import { readAtMost } from '../../src/http/body.ts';
import { NetworkError } from '../../src/http/errors.ts';
import type { HttpResponse } from '../../src/http/message.ts';
import { deferred } from '../support/deferred.ts';
import { startHttpServer, startRawServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';

async function textOf(response: HttpResponse): Promise<string> {
  return Buffer.from(await readAtMost(response, 1024 * 1024, 'the test body')).toString();
}

describe('the body of a response', () => {
  test('body arrives whole however slowly it is read', async () => {
    const content = Buffer.alloc(5_000_000, 'abcdefghij');
    const server = await startHttpServer((_request, response) => void response.end(content));
    const response = await testTransport().send({ method: 'GET', url: server.url('/') });
    const hash = createHash('sha256');
    for await (const chunk of response.body) {
      await new Promise(setImmediate);
      hash.update(chunk);
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
  });

  test('body arrives whole when it is chunked into single bytes', async () => {
    const server = await startHttpServer((_request, response) => {
      for (const character of 'abcdefghij'.repeat(50)) response.write(character);
      response.end();
    });
    const response = await testTransport().send({ method: 'GET', url: server.url('/') });
    expect(await textOf(response)).toBe('abcdefghij'.repeat(50));
  });

  test('body stops the server while it is not read', async () => {
    let written = 0;
    const server = await startHttpServer((_request, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536))) written += 65_536;
        response.once('drain', more);
      };
      more();
    });
    const response = await testTransport().send({ method: 'GET', url: server.url('/') });
    let before = -1;
    // Until the kernel's buffers are full.
    while (written !== before) {
      before = written;
      for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
    }
    expect(written).toBeLessThan(64 * 1024 * 1024);
    await response.body[Symbol.asyncIterator]().return?.();
  });

  test('body can be read only once', async () => {
    const server = await startHttpServer((_request, response) => void response.end('once'));
    const response = await testTransport().send({ method: 'GET', url: server.url('/') });
    await textOf(response);
    expect(() => response.body[Symbol.asyncIterator]()).toThrow('only once');
  });

  test('body closes the connection when its loop is left', async () => {
    const closed = deferred();
    const server = await startHttpServer((request, response) => {
      request.socket.once('close', () => closed.resolve());
      response.writeHead(200).write('x');
    });
    const response = await testTransport().send({ method: 'GET', url: server.url('/') });
    for await (const _chunk of response.body) break;
    await closed.promise;
  });

  test('body throws the reason of a signal that aborts while it is awaited', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const server = await startHttpServer(
      (_request, response) => void response.writeHead(200, { 'content-length': '10' }).write('x'),
    );
    const response = await testTransport().send({
      method: 'GET',
      url: server.url('/'),
      signal: controller.signal,
    });
    const body = response.body[Symbol.asyncIterator]();
    await body.next();
    const pending = body.next();
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    await expect(body.next()).rejects.toBe(reason);
  });

  test.each([
    ['ends before its Content-Length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'],
    [
      'ends before its Content-Length on a connection that was to be closed',
      'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\nabc',
    ],
    [
      'ends before its last chunk',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n',
    ],
  ])('body is a network error when it %s', async (_what, answer) => {
    const server = await startRawServer((socket) => socket.once('data', () => socket.end(answer)));
    const response = await testTransport().send({ method: 'GET', url: server.url('/cut') });
    const error = await textOf(response).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({
      phase: 'body',
      message: `Cannot GET "${server.origin}/cut": the connection was cut`,
    });
  });

  test('body is a network error when the connection is reset', async () => {
    const server = await startRawServer((socket) => {
      socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', () =>
          socket.resetAndDestroy(),
        ),
      );
    });
    const failure = testTransport()
      .send({ method: 'GET', url: server.url('/') })
      .then(textOf);
    await expect(failure).rejects.toMatchObject({ code: 'NETWORK' });
  });

  test('body times out when the server sends no more', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.writeHead(200).write('x'),
    );
    const response = await testTransport({ idleTimeoutMs: 500 }).send({
      method: 'GET',
      url: server.url('/'),
      responseTimeoutMs: 60_000,
    });
    await expect(textOf(response)).rejects.toMatchObject({
      code: 'TIMEOUT',
      phase: 'body',
      message: expect.stringMatching(/bytes for 0.5 s$/) as string,
    });
  });

  test('body does not time out when the process was suspended while bytes arrived', async () => {
    const answered = deferred<ServerResponse>();
    const server = await startHttpServer((_request, response) => {
      response.writeHead(200).write('x');
      answered.resolve(response);
    });
    const { body } = await testTransport({ idleTimeoutMs: 500 }).send({
      method: 'GET',
      url: server.url('/'),
      responseTimeoutMs: 60_000,
    });
    const chunks = body[Symbol.asyncIterator]();
    await chunks.next();
    const pending = chunks.next();
    (await answered.promise).end('y');
    // The bytes are in the kernel, and nothing runs for longer than the timeout.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 800);
    expect(Buffer.from((await pending).value ?? []).toString()).toBe('y');
  });

  test('body times out when it trickles', async () => {
    const server = await startHttpServer((_request, response) => {
      response.writeHead(200, { 'content-length': '1000000' }).write('x');
      const timer = setInterval(() => response.write('y'), 40);
      response.once('close', () => clearInterval(timer));
    });
    const response = await testTransport({ idleTimeoutMs: 1000 }).send({
      method: 'GET',
      url: server.url('/'),
    });
    await expect(textOf(response)).rejects.toMatchObject({
      code: 'TIMEOUT',
      phase: 'body',
      message: expect.stringMatching(
        /: the server sends no more than [1-9]\d* bytes for 1 s$/,
      ) as string,
    });
  });

  test('body does not time out while its reader does not ask for more', async () => {
    const asked = deferred();
    const server = await startHttpServer(async (_request, response) => {
      response.writeHead(200).write('x');
      await asked.promise;
      response.end('y');
    });
    const transport = testTransport({ idleTimeoutMs: 500 });
    const response = await transport.send({
      method: 'GET',
      url: server.url('/'),
      responseTimeoutMs: 60_000,
    });
    const body = response.body[Symbol.asyncIterator]();
    await body.next();
    // By the time that a reader who waits gets its timeout, one that does not wait would have had
    // it too.
    const watched = await transport.send({
      method: 'GET',
      url: server.url('/'),
      responseTimeoutMs: 60_000,
    });
    await expect(textOf(watched)).rejects.toMatchObject({ code: 'TIMEOUT' });
    asked.resolve();
    expect((await body.next()).done).toBe(false);
  });
});
