import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

import { describe, expect, test } from 'vitest';

import { discard, readAtMost } from '../../../src/http/body.ts';
import { NetworkError, ProxyError, TimeoutError } from '../../../src/http/errors.ts';
import { createProxyChooser } from '../../../src/http/proxy/proxy.ts';
import type { HttpTransport } from '../../../src/http/transport.ts';
import { makeCertificates } from '../../support/http/certificates.ts';
import { startForwardProxy } from '../../support/http/forward-proxy.ts';
import { startHttpServer, startRawServer } from '../../support/http/http-server.ts';
import { readPastEnd } from '../slab-schedules.ts';
import { poisoned } from '../../support/images/poison.ts';
import { testTransport } from '../../support/http/transport.ts';

const certificates = makeCertificates({ hosts: ['registry.test', '127.0.0.1'] });

function transportThrough(proxy: string, connectTimeoutMs?: number): HttpTransport {
  return testTransport({
    proxy: createProxyChooser({ HTTP_PROXY: proxy, HTTPS_PROXY: proxy }),
    tls: () => ({ ca: certificates.ca }),
    // The proxy resolves names: a lookup here has bypassed it.
    lookup: (_name, _options, callback) =>
      callback(Object.assign(new Error('asked'), { code: 'ENOTFOUND' }), []),
    connectTimeoutMs,
  });
}

async function hashSlowly(request: IncomingMessage): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of request) {
    hash.update(chunk as Buffer);
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  }
  return hash.digest('hex');
}

describe.each([
  ['an http proxy', undefined],
  ['an https proxy', certificates],
])('send() through %s', (_what, proxyCertificates) => {
  test("send() reaches an https server through a tunnel, and does not report the proxy's address", async () => {
    const server = await startHttpServer(
      (request, response) => void response.end(JSON.stringify(request.headers)),
      certificates,
    );
    const proxy = await startForwardProxy({
      certificates: proxyCertificates,
      port: server.port,
      login: 'user:secret',
    });
    const response = await transportThrough(proxy.url.replace('//', '//user:secret@')).send({
      method: 'GET',
      url: new URL('https://registry.test/v2/'),
    });
    expect(response.status).toBe(200);
    expect(response.remoteAddress).toBeUndefined();
    expect(proxy.requests).toEqual(['CONNECT registry.test:443']);
    const headers = JSON.parse(
      Buffer.from(await readAtMost(response, 10_000, 'it')).toString(),
    ) as Record<string, string>;
    expect(headers['host']).toBe('registry.test');
    expect(JSON.stringify(headers)).not.toMatch(/proxy|c2VjcmV0|secret/i);
  });

  test.each(['https', 'http'])(
    'the end of a connection over %s waits for a reader that has not taken the last chunk',
    async (scheme) => {
      const responses: ServerResponse[] = [];
      const server = await startHttpServer(
        (_request, response) => {
          responses.push(response);
          response.useChunkedEncodingByDefault = false;
          response.setHeader('connection', 'close').write('first');
        },
        scheme === 'https' ? certificates : undefined,
      );
      const proxy = await startForwardProxy({
        certificates: proxyCertificates,
        port: server.port,
      });
      const { body } = await transportThrough(proxy.url).send({
        method: 'GET',
        url: new URL(`${scheme}://registry.test/`),
      });
      expect(await readPastEnd(body, () => responses[0])).toEqual(['first', 'second', 'last']);
    },
  );

  test('send() reaches an http server with the whole URL', async () => {
    const server = await startHttpServer(
      (request, response) => void response.end(`${request.headers.host} ${request.url}`),
    );
    const proxy = await startForwardProxy({
      certificates: proxyCertificates,
      port: server.port,
      login: 'user:secret',
    });
    const transport = transportThrough(proxy.url.replace('//', '//user:secret@'));
    for (let i = 0; i < 2; i++) {
      const response = await transport.send({
        method: 'GET',
        url: new URL('http://registry.test:5000/v2/?n=1'),
      });
      expect(response.remoteAddress).toBeUndefined();
      expect(Buffer.from(await readAtMost(response, 1000, 'it')).toString()).toBe(
        'registry.test:5000 /v2/?n=1',
      );
    }
    expect(proxy.requests).toEqual(
      Array.from({ length: 2 }, () => 'GET http://registry.test:5000/v2/?n=1'),
    );
    expect(transport.counters.of('http://registry.test:5000').connections).toBe(1);
  });

  test.each([
    ['https', 4093],
    ['https', 1_000_000],
    ['http', 1_000_000],
  ])(
    'send() asks for no borrowed chunk before the last one has left, over %s in chunks of %i',
    async (scheme, chunkSize) => {
      const server = await startHttpServer(
        async (request, response) => void response.end(await hashSlowly(request)),
        scheme === 'https' ? certificates : undefined,
      );
      const proxy = await startForwardProxy({ certificates: proxyCertificates, port: server.port });
      const content = Buffer.alloc(4_000_000, 'abcdefghijk');
      const response = await transportThrough(proxy.url).send({
        method: 'PUT',
        url: new URL(`${scheme}://registry.test/blob`),
        body: { content: poisoned(content, { chunkSize }), size: content.byteLength },
      });
      expect(Buffer.from(await readAtMost(response, 1000, 'the hash')).toString()).toBe(
        createHash('sha256').update(content).digest('hex'),
      );
    },
  );
});

const NEGOTIATE =
  'HTTP/1.1 407 Login\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n';

describe('a proxy that does not let us through', () => {
  test.each(['https', 'http'])(
    'send() reports that a proxy needs a password, over %s',
    async (scheme) => {
      const proxy = await startForwardProxy({ login: 'user:right' });
      const url = proxy.url.replace('//', '//user:canary@');
      const error = await transportThrough(url)
        .send({ method: 'GET', url: new URL(`${scheme}://registry.test/`) })
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ProxyError);
      expect(error).toMatchObject({
        code: 'NETWORK',
        phase: 'connect',
        reason: 'PROXY_UNAUTHORISED',
        message: expect.stringContaining(`proxy "${new URL(proxy.url).host}"`) as string,
      });
      expect(String((error as Error).stack)).not.toContain('canary');
    },
  );

  test.each(['https', 'http'])(
    'B11: send() names the schemes of a proxy that takes no Basic, over %s',
    async (scheme) => {
      const proxy = await startRawServer((socket) =>
        socket.once('data', () => socket.end(NEGOTIATE)),
      );
      const error = await transportThrough(proxy.origin)
        .send({ method: 'GET', url: new URL(`${scheme}://registry.test/`) })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        reason: 'PROXY_UNAUTHORISED',
        message: expect.stringContaining('a login by Negotiate, NTLM') as string,
      });
    },
  );

  test.each([
    [
      'HTTP/1.1 403 Forbidden by policy\r\n\r\n',
      'PROXY_REFUSED',
      'status 403 (Forbidden by policy)',
    ],
    ['HTTP/1.1 503\r\n\r\n', 'PROXY_REFUSED', 'status 503'],
    ['SSH-2.0-OpenSSH\r\n\r\n', 'PROXY_MALFORMED', 'does not speak http'],
    ['HTTP/1.1 200 OK\r\n\r\ntoo early', 'PROXY_MALFORMED', 'sent bytes into the tunnel'],
    [`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`, 'PROXY_MALFORMED', 'too many headers'],
    ['HTTP/1.1 200 OK\r\n', 'PROXY_CLOSED', 'closed the connection'],
  ])('send() reports the response of the proxy (%#)', async (refusal, reason, text) => {
    const proxy = await startForwardProxy({ refusal });
    const error = await transportThrough(proxy.url)
      .send({ method: 'GET', url: new URL('https://registry.test/') })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      reason,
      message: expect.stringContaining(text) as unknown,
      hint: expect.stringContaining('NO_PROXY') as unknown,
    });
  });

  test('send() names the proxy that does not listen', async () => {
    const error = await transportThrough('http://127.0.0.1:1')
      .send({ method: 'GET', url: new URL('https://registry.test/') })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NetworkError);
    expect((error as Error).message).toBe(
      'Cannot connect to "registry.test" through the proxy "127.0.0.1:1": connection refused',
    );
  });

  test('send() gives up on a silent proxy', async () => {
    const silent = await startRawServer(() => {});
    const error = await transportThrough(silent.origin, 50)
      .send({ method: 'GET', url: new URL('https://registry.test/') })
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TimeoutError);
    expect((error as Error).message).toContain(`through the proxy "127.0.0.1:${silent.port}"`);
  });

  test('send() ends when it is aborted while the proxy is silent', async () => {
    const controller = new AbortController();
    const silent = await startRawServer((socket) =>
      socket.once('data', () => controller.abort(new Error('enough'))),
    );
    const sending = transportThrough(silent.origin).send({
      method: 'GET',
      url: new URL('https://registry.test/'),
      signal: controller.signal,
    });
    await expect(sending).rejects.toThrow('enough');
  });

  test('send() verifies a server behind a proxy by its own name', async () => {
    const server = await startHttpServer((_request, response) => void response.end(), certificates);
    const proxy = await startForwardProxy({ port: server.port });
    await expect(
      transportThrough(proxy.url).send({ method: 'GET', url: new URL('https://other.test/') }),
    ).rejects.toMatchObject({ code: 'TLS' });
  });
});

describe('reach `public` behind a proxy', () => {
  test('send() refuses a private address that is written in the URL', async () => {
    const proxy = await startForwardProxy();
    const sending = transportThrough(proxy.url).send({
      method: 'GET',
      url: new URL('https://10.0.0.1/token'),
      reach: 'public',
    });
    await expect(sending).rejects.toMatchObject({ code: 'UNSAFE_REALM' });
    expect(proxy.requests).toEqual([]);
  });

  test('send() lets the proxy resolve names', async () => {
    const server = await startHttpServer((_request, response) => void response.end(), certificates);
    const proxy = await startForwardProxy({ port: server.port });
    const response = await transportThrough(proxy.url).send({
      method: 'GET',
      url: new URL('https://registry.test/token'),
      reach: 'public',
    });
    expect(response.status).toBe(200);
    await discard(response);
  });
});
