import { describe, expect, test } from 'vitest';

import { NetworkError, TlsError } from '../../src/http/errors.ts';
import type { HttpRequest } from '../../src/http/message.ts';
import type { ConnectionOptions } from '../../src/registry/connection.ts';
import { ping } from '../../src/registry/remote-repository.ts';
import { fakeTransport, showRequest, type FakeResponse } from '../support/http/fake-transport.ts';
import { instantClock } from '../support/clock.ts';
import { testConnection } from '../support/http/registry-connection.ts';

const password: ConnectionOptions['credentials'] = async () => ({
  credential: { kind: 'password', username: 'u', password: 'p' },
  origin: 'test',
});
const challenge = { 'www-authenticate': 'Basic realm="x"' };
const basic = `Basic ${Buffer.from('u:p').toString('base64')}`;

function connect(
  handle: (request: HttpRequest) => FakeResponse,
  options: Partial<ConnectionOptions> = {},
) {
  const transport = fakeTransport(handle);
  return { connection: testConnection(transport.send, options), requests: transport.requests };
}

const failure = (reason: string, phase: 'connect' | 'response' = 'response') =>
  new NetworkError('x', { phase, reason });
const isHttp = ({ url }: HttpRequest): boolean => url.protocol === 'http:';

describe('send()', () => {
  test('sends requests for docker.io to the host of its API', async () => {
    const { connection, requests } = connect(() => ({ status: 200 }), { host: 'docker.io' });
    await connection.send('GET', '/v2/library/alpine/tags/list?n=1', { scopes: [] });
    expect(requests.map(showRequest)).toEqual([
      'GET https://registry-1.docker.io/v2/library/alpine/tags/list?n=1',
    ]);
  });

  test('answers a challenge', async () => {
    const { connection, requests } = connect(
      ({ headers }) =>
        headers?.['authorization'] === undefined
          ? { status: 401, headers: challenge }
          : { status: 200 },
      { credentials: password },
    );
    expect((await connection.send('GET', '/v2/', { scopes: [] })).status).toBe(200);
    expect(requests.map(({ headers }) => headers?.['authorization'])).toEqual([undefined, basic]);
  });

  test('sends no credentials to the storage that it is redirected to, and does not answer its challenge', async () => {
    const { connection, requests } = connect(
      ({ url, headers }) => {
        if (url.host !== 'registry.example') return { status: 401, headers: challenge };
        return headers?.['authorization'] === undefined
          ? { status: 401, headers: challenge }
          : { status: 307, headers: { location: 'https://storage.example/x' } };
      },
      { credentials: password },
    );
    expect((await connection.send('GET', '/v2/a/blobs/x', { scopes: [] })).status).toBe(401);
    expect(requests.map(({ url, headers }) => [url.host, headers?.['authorization']])).toEqual([
      ['registry.example', undefined],
      ['registry.example', basic],
      ['storage.example', undefined],
    ]);
  });

  test('retries after temporary failures', async () => {
    let count = 0;
    const { connection } = connect(() => ({ status: (count += 1) < 3 ? 503 : 200 }));
    expect((await connection.send('GET', '/v2/', { scopes: [] })).status).toBe(200);
  });

  test('returns a redirect when it must not follow it', async () => {
    const { connection, requests } = connect(() => ({
      status: 303,
      headers: { location: 'https://other.example/' },
    }));
    expect((await connection.send('GET', '/v2/x', { scopes: [], redirects: 'none' })).status).toBe(
      303,
    );
    expect(requests).toHaveLength(1);
  });

  test('names the credentials that did not help', async () => {
    const { connection } = connect(() => ({ status: 401, headers: challenge }), {
      credentials: password,
    });
    expect(await connection.send('GET', '/v2/', { scopes: [] })).toMatchObject({
      status: 401,
      host: 'registry.example',
      tried: { origin: 'test', refused: true },
    });
  });

  test('reports the warnings of the registry once, but none of its storage', async () => {
    const warnings: string[] = [];
    const { connection } = connect(
      ({ url }) =>
        url.host === 'registry.example'
          ? {
              status: 307,
              headers: { location: 'https://storage.example/x', warning: '299 - "old image"' },
            }
          : { status: 200, headers: { warning: '299 - "buy more"' } },
      { onWarning: (message) => warnings.push(message) },
    );
    await connection.send('GET', '/v2/x', { scopes: [] });
    await connection.send('GET', '/v2/x', { scopes: [] });
    expect(warnings).toEqual(['"registry.example" says: old image']);
  });
});

describe('send() to a URL', () => {
  test('sends credentials to the registry itself only', async () => {
    const { connection, requests } = connect(
      ({ headers }) =>
        headers?.['authorization'] === undefined
          ? { status: 401, headers: challenge }
          : { status: 201 },
      { credentials: password },
    );
    await connection.send('PUT', new URL('https://registry.example/u'), { scopes: [] });
    await connection.send('PUT', new URL('https://uploads.example/u'), { scopes: [] });
    expect(
      requests
        .filter(({ headers }) => headers?.['authorization'] !== undefined)
        .map(({ url }) => url.host),
    ).toEqual(['registry.example']);
  });
});

describe('sendAnonymously()', () => {
  test('sends no credentials, not even to the registry', async () => {
    const { connection, requests } = connect(() => ({ status: 401, headers: challenge }), {
      credentials: password,
    });
    await connection.send('GET', '/v2/', { scopes: [] });
    await connection.sendAnonymously('GET', new URL('https://registry.example/layer'), {});
    expect(requests.at(-1)?.headers).toEqual({});
  });
});

describe('the scheme', () => {
  const loopback = { host: 'localhost:5000', schemes: ['http', 'https'] } as const;
  const insecure = { host: 'registry.local:5000', schemes: ['https', 'http'] } as const;
  const tls = (plainHttp: boolean) => new TlsError('x', { plainHttp }, {});

  test('is unknown before the first response when there are two', async () => {
    const { connection } = connect(() => ({ status: 200 }), loopback);
    const before = connection.origin();
    await connection.send('GET', '/v2/', { scopes: [] });
    expect([before, connection.origin()]).toEqual([undefined, 'http://localhost:5000']);
  });

  test('is found without an extra request, and kept', async () => {
    const { connection, requests } = connect(() => ({ status: 404 }), loopback);
    await connection.send('GET', '/v2/a', { scopes: [] });
    await connection.send('GET', '/v2/b', { scopes: [] });
    expect(requests.map(showRequest)).toEqual([
      'GET http://localhost:5000/v2/a',
      'GET http://localhost:5000/v2/b',
    ]);
  });

  test.each([
    ['Go', 'Client sent an HTTP request to an HTTPS server.\n'],
    [
      'nginx',
      '<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head>',
    ],
    ['Apache', "Reason: You're speaking plain HTTP to an SSL-enabled server port."],
  ])('is https on loopback when a TLS server of %s complains', async (_, body) => {
    const { connection, requests } = connect(
      (request) => (isHttp(request) ? { status: 400, body } : { status: 200 }),
      loopback,
    );
    expect((await connection.send('GET', '/v2/', { scopes: [] })).status).toBe(200);
    expect(requests.map(({ url }) => url.protocol)).toEqual(['http:', 'https:']);
  });

  test("is http on loopback when a 400 is the registry's own", async () => {
    const { connection } = connect(
      () => ({ status: 400, body: '{"errors":[{"code":"NAME_INVALID"}]}' }),
      loopback,
    );
    const response = await connection.send('GET', '/v2/', { scopes: [] });
    expect([response.status, connection.origin()]).toEqual([400, 'http://localhost:5000']);
  });

  test.each(['ECONNRESET', 'UND_ERR_SOCKET', 'HPE_INVALID_CONSTANT'])(
    'is https on loopback when plain http ends in %s, tried once',
    async (reason) => {
      const clock = instantClock();
      const { connection, requests } = connect(
        (request) => {
          if (isHttp(request)) throw failure(reason);
          return { status: 200 };
        },
        { ...loopback, clock },
      );
      await connection.send('GET', '/v2/', { scopes: [] });
      expect([requests.length, clock.sleeps.length, connection.origin()]).toEqual([
        2,
        0,
        'https://localhost:5000',
      ]);
    },
  );

  test("is settled by the registry's response even if the target of its redirect fails", async () => {
    const refused = failure('ECONNREFUSED', 'connect');
    const { connection, requests } = connect(
      (request) => {
        if (request.url.host === 'localhost:5000')
          return { status: 307, headers: { location: 'http://storage.example/blob' } };
        throw refused;
      },
      { ...loopback, retries: 0 },
    );
    await expect(connection.send('GET', '/v2/', { scopes: [] })).rejects.toBe(refused);
    expect(requests.map(({ url }) => url.origin)).toEqual([
      'http://localhost:5000',
      'http://storage.example',
    ]);
  });

  test('is http after all when the connection was cut by chance and the server does not speak TLS', async () => {
    let count = 0;
    const { connection } = connect((request) => {
      if (!isHttp(request)) throw tls(true);
      if ((count += 1) === 1) throw failure('ECONNRESET');
      return { status: 200 };
    }, loopback);
    expect((await connection.send('GET', '/v2/', { scopes: [] })).status).toBe(200);
    expect(connection.origin()).toBe('http://localhost:5000');
  });

  test.each([
    ['TLS fails', tls(false)],
    ['nothing listens for TLS', failure('ECONNREFUSED', 'connect')],
  ])('is http for an insecure registry when %s', async (_, error) => {
    const { connection } = connect((request) => {
      if (!isHttp(request)) throw error;
      return { status: 200 };
    }, insecure);
    await connection.send('GET', '/v2/', { scopes: [] });
    expect(connection.origin()).toBe('http://registry.local:5000');
  });

  test('is not http when TLS fails, and plain http meets a TLS server', async () => {
    const untrusted = tls(false);
    const { connection } = connect((request) => {
      if (!isHttp(request)) throw untrusted;
      return { status: 400, body: 'Client sent an HTTP request to an HTTPS server.\n' };
    }, insecure);
    await expect(connection.send('GET', '/v2/', { scopes: [] })).rejects.toBe(untrusted);
    expect(connection.origin()).toBeUndefined();
  });

  test('stays https for an insecure registry whose TLS works', async () => {
    const { connection, requests } = connect(() => ({ status: 404 }), insecure);
    await connection.send('GET', '/v2/', { scopes: [] });
    expect(requests.map(({ url }) => url.protocol)).toEqual(['https:']);
  });

  test('is never http when that is not allowed', async () => {
    const { connection, requests } = connect(() => {
      throw tls(true);
    });
    await expect(connection.send('GET', '/v2/', { scopes: [] })).rejects.toMatchObject({
      code: 'TLS',
    });
    expect(requests.map(({ url }) => url.protocol)).toEqual(['https:']);
  });

  test('does not change when the host does not exist', async () => {
    const { connection, requests } = connect(() => {
      throw failure('ENOTFOUND', 'connect');
    }, insecure);
    await expect(connection.send('GET', '/v2/', { scopes: [] })).rejects.toMatchObject({
      code: 'NETWORK',
    });
    expect(requests.map(({ url }) => url.protocol)).toEqual(['https:']);
  });

  test('is found once for parallel requests', async () => {
    const { connection, requests } = connect(
      (request) => (isHttp(request) ? { status: 400, body: 'plain HTTP' } : { status: 200 }),
      loopback,
    );
    await Promise.all(
      [1, 2, 3].map((number) => connection.send('GET', `/v2/${number}`, { scopes: [] })),
    );
    expect(requests.map(({ url }) => url.protocol)).toEqual([
      'http:',
      'https:',
      'https:',
      'https:',
    ]);
  });

  test('is looked for again by waiting requests when the first one failed', async () => {
    let count = 0;
    const { connection } = connect(() => {
      if ((count += 1) === 1) throw failure('ENOTFOUND', 'connect');
      return { status: 200 };
    }, loopback);
    const outcomes = await Promise.allSettled(
      [1, 2].map(() => connection.send('GET', '/v2/', { scopes: [] })),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  test('is found although the first response is a temporary failure', async () => {
    let count = 0;
    const { connection } = connect(() => ({ status: (count += 1) === 1 ? 503 : 200 }), loopback);
    expect((await connection.send('GET', '/v2/', { scopes: [] })).status).toBe(200);
  });

  test('sends no credentials with the first request', async () => {
    const { connection, requests } = connect(() => ({ status: 200 }), {
      ...loopback,
      credentials: password,
    });
    await connection.send('GET', '/v2/', { scopes: [] });
    expect(requests[0]?.headers).toEqual({});
  });
});

describe('ping()', () => {
  test('accepts any 200 that is no web page', async () => {
    await expect(
      ping(connect(() => ({ status: 200, body: '{}' })).connection),
    ).resolves.toBeUndefined();
  });

  test('refuses a captive portal', async () => {
    const { connection } = connect(() => ({
      status: 200,
      headers: { 'content-type': 'text/html' },
      body: '<html>',
    }));
    await expect(ping(connection)).rejects.toMatchObject({ code: 'INVALID_RESPONSE' });
  });
});
