import { once } from 'node:events';

import { describe, expect, test } from 'vitest';

import { collect } from '../../src/bytes.ts';
import { discard, readAtMost } from '../../src/http/body.ts';
import { NetworkError, TimeoutError } from '../../src/http/errors.ts';
import type { HttpResponse } from '../../src/http/message.ts';
import { deferred } from '../support/deferred.ts';
import { startHttpServer, startRawServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';

async function textOf(response: HttpResponse): Promise<string> {
  return Buffer.from(await readAtMost(response, 1024 * 1024, 'the test body')).toString();
}

describe('send()', () => {
  test('send() returns status, headers, address and body of the response', async () => {
    const server = await startHttpServer((request, response) => {
      response.setHeader('X-Asked', `${request.method} ${request.url}`);
      response.end('hello');
    });
    const response = await testTransport().send({ method: 'GET', url: server.url('/v2/?a=b') });
    expect(response.status).toBe(200);
    expect(response.headers.get('x-asked')).toBe('GET /v2/?a=b');
    expect(response.remoteAddress).toBe('127.0.0.1');
    expect(response.url.pathname).toBe('/v2/');
    expect(await textOf(response)).toBe('hello');
  });

  test('send() sends its user agent and asks for unencoded bytes', async () => {
    const server = await startHttpServer(
      (request, response) => void response.end(JSON.stringify(request.headers)),
    );
    const response = await testTransport().send({
      method: 'GET',
      url: server.url('/'),
      headers: { accept: 'a/b' },
    });
    expect(JSON.parse(await textOf(response))).toMatchObject({
      'user-agent': 'regi-test',
      'accept-encoding': 'identity',
      accept: 'a/b',
    });
  });

  test('send() joins the values of a repeated header', async () => {
    const server = await startHttpServer((_request, response) => {
      response.setHeader('WWW-Authenticate', ['Basic realm="a"', 'Bearer realm="b"']);
      response.end();
    });
    const response = await testTransport().send({ method: 'GET', url: server.url('/') });
    expect(response.headers.get('www-authenticate')).toBe('Basic realm="a", Bearer realm="b"');
  });

  test('send() uses one connection for 20 HEADs', async () => {
    const server = await startHttpServer((_request, response) => {
      response.setHeader('Content-Length', '123456');
      response.end();
    });
    const transport = testTransport();
    for (let i = 0; i < 20; i++)
      await discard(await transport.send({ method: 'HEAD', url: server.url(`/${i}`) }));
    expect(transport.counters.of(server.origin)).toEqual({ requests: 20, connections: 1 });
  });

  test('send() reuses a connection after a discarded body', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.end('x'.repeat(10_000)),
    );
    const transport = testTransport();
    for (let i = 0; i < 5; i++)
      await discard(await transport.send({ method: 'GET', url: server.url('/') }));
    expect(transport.counters.of(server.origin).connections).toBe(1);
  });

  test('send() closes the connection of a long discarded body', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.end('x'.repeat(1_000_000)),
    );
    const transport = testTransport();
    for (let i = 0; i < 2; i++)
      await discard(await transport.send({ method: 'GET', url: server.url('/') }));
    expect(transport.counters.of(server.origin).connections).toBe(2);
  });

  test('send() opens connections for parallel requests', async () => {
    const server = await startHttpServer((_request, response) => void response.end('ok'));
    const transport = testTransport();
    await Promise.all(
      [1, 2, 3].map(async () =>
        textOf(await transport.send({ method: 'GET', url: server.url('/') })),
      ),
    );
    expect(transport.counters.of(server.origin)).toEqual({ requests: 3, connections: 3 });
  });

  test('send() follows no redirect', async () => {
    const server = await startHttpServer(
      (_request, response) => void response.writeHead(307, { location: '/there' }).end(),
    );
    const response = await testTransport().send({ method: 'GET', url: server.url('/') });
    expect(response.status).toBe(307);
  });

  test('send() does not decode a body', async () => {
    const server = await startHttpServer((_request, response) => {
      response.setHeader('Content-Encoding', 'gzip');
      response.end('as it is');
    });
    expect(await textOf(await testTransport().send({ method: 'GET', url: server.url('/') }))).toBe(
      'as it is',
    );
  });

  test('send() skips informational responses', async () => {
    const server = await startHttpServer((_request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.writeHead(204).end();
    });
    expect((await testTransport().send({ method: 'GET', url: server.url('/') })).status).toBe(204);
  });

  test('send() throws the reason of a signal that has aborted', async () => {
    const reason = new Error('stop');
    await expect(
      testTransport().send({
        method: 'GET',
        url: new URL('http://127.0.0.1:1'),
        signal: AbortSignal.abort(reason),
      }),
    ).rejects.toBe(reason);
  });

  test('send() throws the reason of a signal that aborts while it connects', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const transport = testTransport({ lookup: () => controller.abort(reason) });
    await expect(
      transport.send({
        method: 'GET',
        url: new URL('http://slow.test'),
        signal: controller.signal,
      }),
    ).rejects.toBe(reason);
  });

  test('send() throws the reason of a signal that aborts while it waits for the response', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const server = await startHttpServer(() => controller.abort(reason));
    await expect(
      testTransport().send({ method: 'GET', url: server.url('/'), signal: controller.signal }),
    ).rejects.toBe(reason);
  });

  test('send() leaves no listener on the signal', async () => {
    const server = await startHttpServer((_request, response) => void response.end('ok'));
    const { signal } = new AbortController();
    const added: string[] = [];
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) =>
      void (added.push('x'), add(...args));
    signal.removeEventListener = (...args: Parameters<typeof remove>) =>
      void (added.pop(), remove(...args));
    await textOf(await testTransport().send({ method: 'GET', url: server.url('/'), signal }));
    expect(added).toEqual([]);
  });

  test('send() fails when the transport is closed', async () => {
    const transport = testTransport();
    await transport.close();
    await expect(
      transport.send({ method: 'GET', url: new URL('http://127.0.0.1:1') }),
    ).rejects.toThrow('closed');
  });
});

describe('send() to an unreachable server', () => {
  test('send() names a host that does not exist', async () => {
    const transport = testTransport({
      lookup: (host, _options, callback) =>
        callback(
          Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }),
          [],
        ),
    });
    const error = await transport
      .send({ method: 'GET', url: new URL('https://no.test:5000/v2/') })
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({
      code: 'NETWORK',
      message: 'Cannot connect to "no.test:5000": no such host',
      reason: 'ENOTFOUND',
      phase: 'connect',
      hint: 'check the spelling of the host',
    });
  });

  test('send() names a port that refuses connections', async () => {
    const { port } = await startRawServer(() => {});
    const error = await testTransport()
      .send({ method: 'GET', url: new URL(`http://127.0.0.2:${port}/`) })
      .catch((error: unknown) => error);
    expect(error).toMatchObject({
      message: `Cannot connect to "127.0.0.2:${port}": connection refused`,
      reason: 'ECONNREFUSED',
      phase: 'connect',
    });
  });

  test('send() gives up on a connection that does not open', async () => {
    const transport = testTransport({ lookup: () => {}, connectTimeoutMs: 20 });
    const error = await transport
      .send({ method: 'GET', url: new URL('http://slow.test') })
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({
      code: 'TIMEOUT',
      phase: 'connect',
      message: 'Cannot connect to "slow.test": no connection within 0.02 s',
    });
  });

  test('send() gives up on a TLS handshake that does not end', async () => {
    const server = await startRawServer(() => {});
    const transport = testTransport({ connectTimeoutMs: 20 });
    await expect(
      transport.send({ method: 'GET', url: new URL(`https://127.0.0.1:${server.port}`) }),
    ).rejects.toMatchObject({
      code: 'TIMEOUT',
      phase: 'connect',
    });
  });

  test('send() uses the given lookup', async () => {
    const server = await startHttpServer(
      (request, response) => void response.end(request.headers.host),
    );
    const transport = testTransport({
      lookup: (_host, options, callback) =>
        options.all
          ? callback(null, [{ address: '127.0.0.1', family: 4 }])
          : callback(null, '127.0.0.1', 4),
    });
    const response = await transport.send({
      method: 'GET',
      url: new URL(`http://registry.test:${server.port}/`),
    });
    expect(await textOf(response)).toBe(`registry.test:${server.port}`);
  });

  test.each([
    'http://127.0.0.1:PORT',
    'http://[::1]:PORT',
    'http://0x7f.1:PORT',
    'http://named.test:PORT',
    'https://named.test:PORT',
  ])(
    'send() opens no connection to %s when only public addresses may be reached',
    async (origin) => {
      let connections = 0;
      const server = await startRawServer(() => connections++);
      const transport = testTransport({
        lookup: (_host, options, callback) =>
          options.all
            ? callback(null, [{ address: '127.0.0.1', family: 4 }])
            : callback(null, '127.0.0.1', 4),
      });
      const url = new URL(origin.replace('PORT', String(server.port)));
      const error = await transport
        .send({ method: 'GET', url, reach: 'public' })
        .catch((error: unknown) => error);
      expect(error).toMatchObject({
        code: 'UNSAFE_REALM',
        message: expect.stringContaining('private address') as string,
      });
      expect(connections).toBe(0);
    },
  );
});

test('close() ends requests in progress', async () => {
  const server = await startRawServer(() => {});
  const transport = testTransport();
  const pending = transport.send({ method: 'GET', url: server.url('/') });
  const failed = pending.catch((error: unknown) => error);
  while (transport.counters.of(server.origin).connections === 0) await new Promise(setImmediate);
  await transport.close();
  expect(await failed).toMatchObject({ code: 'NETWORK' });
});

test('send() closes the connection when the response is aborted', async () => {
  const controller = new AbortController();
  const closed = deferred();
  const server = await startHttpServer((request) => {
    void once(request.socket, 'close').then(() => closed.resolve());
    controller.abort();
  });
  await testTransport()
    .send({ method: 'GET', url: server.url('/'), signal: controller.signal })
    .catch(() => {});
  await closed.promise;
});

test('collect() of an empty body is empty', async () => {
  const server = await startHttpServer((_request, response) => void response.writeHead(204).end());
  const response = await testTransport().send({ method: 'GET', url: server.url('/') });
  expect(await collect(response.body, 0, 'nothing')).toHaveLength(0);
});
