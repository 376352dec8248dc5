import { createHash } from 'node:crypto';
import { inspect } from 'node:util';

import { describe, expect, test } from 'vitest';

import { readAtMost } from '../../../src/http/body.ts';
import { ProxyError, TimeoutError } from '../../../src/http/errors.ts';
import { createProxyChooser } from '../../../src/http/proxy/proxy.ts';
import type { HttpTransport } from '../../../src/http/transport.ts';
import { makeCertificates } from '../../support/http/certificates.ts';
import { startHttpServer, startRawServer } from '../../support/http/http-server.ts';
import { startSocksProxy } from '../../support/http/socks-proxy.ts';
import { testTransport } from '../../support/http/transport.ts';
import { poisoned } from '../../support/images/poison.ts';

const certificates = makeCertificates({ hosts: ['registry.test', '127.0.0.1'] });

function transportThrough(proxy: string, connectTimeoutMs?: number): HttpTransport {
  return testTransport({
    proxy: createProxyChooser({ ALL_PROXY: proxy }),
    tls: () => ({ ca: certificates.ca }),
    // The proxy resolves names: a lookup here has gone around it.
    lookup: (_name, _options, callback) =>
      callback(Object.assign(new Error('asked'), { code: 'ENOTFOUND' }), []),
    connectTimeoutMs,
  });
}

async function failure(sending: Promise<unknown>): Promise<unknown> {
  return sending.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

describe.each(['socks5', 'socks5h'])('B17: send() through %s', (kind) => {
  test.each(['https', 'http'])(
    'reaches a server over %s, and the login goes to the proxy alone',
    async (scheme) => {
      const server = await startHttpServer(
        (request, response) =>
          void response.end(JSON.stringify([request.url, request.headers, request.rawHeaders])),
        scheme === 'https' ? certificates : undefined,
      );
      const proxy = await startSocksProxy({ port: server.port, login: 'user:p@ss' });
      const transport = transportThrough(`${kind}://user:p%40ss@${proxy.host}`);
      for (let i = 0; i < 2; i++) {
        const response = await transport.send({
          method: 'GET',
          url: new URL(`${scheme}://registry.test/v2/?n=1`),
        });
        expect(response.remoteAddress).toBeUndefined();
        const text = Buffer.from(await readAtMost(response, 10_000, 'it')).toString();
        // The path alone, as without a proxy: a proxy for http would get the whole URL.
        expect((JSON.parse(text) as string[])[0]).toBe('/v2/?n=1');
        expect(text).not.toMatch(/proxy|p@ss|user:/i);
      }
      expect(proxy.requests).toEqual([`registry.test:${scheme === 'https' ? 443 : 80}`]);
    },
  );
});

test.each([
  ['https', '127.0.0.2', '127.0.0.2:443'],
  ['http', '10.1.2.3:5000', '10.1.2.3:5000'],
  ['http', '[fd12::1]:5000', '[fd12:0000:0000:0000:0000:0000:0000:0001]:5000'],
])('B17: send() passes the address of %s://%s on as %s', async (scheme, host, expected) => {
  const proxy = await startSocksProxy({ reply: 2 });
  const chosen = createProxyChooser({ ALL_PROXY: `socks5://${proxy.host}` })(
    new URL('http://a.test'),
  );
  const transport = testTransport({ proxy: () => chosen });
  await failure(transport.send({ method: 'GET', url: new URL(`${scheme}://${host}/`) }));
  expect(proxy.requests).toEqual([expected]);
});

test.each(['https', 'http'])(
  'B17: send() uploads and reads large bodies through SOCKS over %s',
  async (scheme) => {
    const server = await startHttpServer(
      async (request, response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        response.end(Buffer.concat(chunks));
      },
      scheme === 'https' ? certificates : undefined,
    );
    const proxy = await startSocksProxy({ port: server.port });
    const content = Buffer.alloc(4_000_000, 'abcdefghijk');
    const { body } = await transportThrough(`socks5://${proxy.host}`).send({
      method: 'PUT',
      url: new URL(`${scheme}://registry.test/blob`),
      body: { content: poisoned(content, { chunkSize: 100_000 }), size: content.byteLength },
    });
    const hash = createHash('sha256');
    for await (const chunk of body) hash.update(chunk);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
  },
);

describe('B17: a SOCKS proxy that does not let us through', () => {
  test.each([
    ['', 'PROXY_UNAUTHORISED'],
    ['user:canary@', 'PROXY_UNAUTHORISED'],
  ])('send() reports that the login %s is refused', async (login, reason) => {
    const proxy = await startSocksProxy({ login: 'user:right' });
    const error = await failure(
      transportThrough(`socks5h://${login}${proxy.host}`).send({
        method: 'GET',
        url: new URL('https://registry.test/'),
      }),
    );
    expect(error).toBeInstanceOf(ProxyError);
    expect(error).toMatchObject({
      reason,
      message: `Cannot connect to "registry.test" through the proxy "${proxy.host}": it needs a login, or another one`,
      hint: 'write user and password of the proxy into the variable: ALL_PROXY=socks5h://USER:PASSWORD@HOST:PORT, percent-encoded',
    });
    expect(inspect(error, { depth: 10 })).not.toContain('canary');
  });

  test.each([
    [2, 'its rules forbid this connection'],
    [4, 'no route to that host, or no such host'],
    [5, 'connection refused'],
    [99, 'for a reason of its own'],
  ])('send() reports its reply %i', async (reply, text) => {
    const proxy = await startSocksProxy({ reply });
    const error = await failure(
      transportThrough(`socks5://${proxy.host}`).send({
        method: 'GET',
        url: new URL('https://registry.test/'),
      }),
    );
    expect(error).toMatchObject({
      reason: 'PROXY_REFUSED',
      message: expect.stringContaining(`it refused: ${text}`) as unknown,
      hint: 'check the proxy in ALL_PROXY, or bypass it: NO_PROXY=registry.test',
    });
  });

  test('send() reports a server that does not speak SOCKS5', async () => {
    const server = await startRawServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    );
    const error = await failure(
      transportThrough(`socks5://127.0.0.1:${server.port}`).send({
        method: 'GET',
        url: new URL('https://registry.test/'),
      }),
    );
    expect(error).toMatchObject({
      reason: 'PROXY_MALFORMED',
      message: expect.stringContaining('it does not speak SOCKS5') as unknown,
    });
  });

  test('send() reports a proxy that closes the connection', async () => {
    const server = await startRawServer((socket) => socket.once('data', () => socket.end()));
    const error = await failure(
      transportThrough(`socks5://127.0.0.1:${server.port}`).send({
        method: 'GET',
        url: new URL('https://registry.test/'),
      }),
    );
    expect(error).toMatchObject({ reason: 'PROXY_CLOSED' });
  });

  test('send() names the proxy that does not listen', async () => {
    const error = await failure(
      transportThrough('socks5://127.0.0.1:1').send({
        method: 'GET',
        url: new URL('https://registry.test/'),
      }),
    );
    expect((error as Error).message).toBe(
      'Cannot connect to "registry.test" through the proxy "127.0.0.1:1": connection refused',
    );
  });

  test('send() gives up on a silent proxy', async () => {
    const silent = await startRawServer(() => {});
    const error = await failure(
      transportThrough(`socks5://127.0.0.1:${silent.port}`, 50).send({
        method: 'GET',
        url: new URL('https://registry.test/'),
      }),
    );
    expect(error).toBeInstanceOf(TimeoutError);
    expect((error as Error).message).toContain(`through the proxy "127.0.0.1:${silent.port}"`);
  });

  test('send() ends when it is aborted while the proxy is silent', async () => {
    const controller = new AbortController();
    const silent = await startRawServer((socket) =>
      socket.once('data', () => controller.abort(new Error('enough'))),
    );
    const sending = transportThrough(`socks5://127.0.0.1:${silent.port}`).send({
      method: 'GET',
      url: new URL('https://registry.test/'),
      signal: controller.signal,
    });
    await expect(sending).rejects.toThrow('enough');
  });

  test('send() refuses a private address in a URL that a public registry names', async () => {
    const proxy = await startSocksProxy();
    const sending = transportThrough(`socks5://${proxy.host}`).send({
      method: 'GET',
      url: new URL('https://10.0.0.1/token'),
      reach: 'public',
    });
    await expect(sending).rejects.toMatchObject({ code: 'UNSAFE_REALM' });
    expect(proxy.requests).toEqual([]);
  });
});
