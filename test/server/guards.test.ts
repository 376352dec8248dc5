import { hashSync } from 'bcryptjs';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';

import { startServer, type RunningServer, type ServerOptions } from '../../src/server/server.ts';
import { authenticateHtpasswd } from '../../src/server/htpasswd.ts';
import { parseRoute } from '../../src/server/router.ts';
import { RefusedRequestError } from '../../src/server/errors.ts';
import { createMemoryPlace } from '../../src/stores/memory.ts';
import { makeImage } from '../support/images/images.ts';
import { errorCodes, exchangeText, sendRaw } from '../support/http/raw-request.ts';

const running: RunningServer[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await server.destroy();
});

async function start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({
    place: createMemoryPlace(),
    clock: { now: () => 0 },
    ...options,
  });
  running.push(server);
  return server;
}

describe('guards against browsers', () => {
  test.each([
    'evil.example',
    'evil.example:5000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '[::1',
  ])('refuses Host %j', async (host) => {
    const answer = await sendRaw((await start()).url, { path: '/v2/', headers: { host } });
    expect([answer.status, errorCodes(answer)]).toEqual([403, ['DENIED']]);
  });

  test.each([
    'localhost',
    'LOCALHOST:1',
    '127.0.0.1:5000',
    '10.1.2.3',
    '[::1]:5000',
    'registry.local:5000',
    'other.example:443',
  ])('serves under Host %j', async (host) => {
    const { url } = await start({ allowedHosts: ['registry.local', 'other.example:443'] });
    expect((await sendRaw(url, { path: '/v2/', headers: { host } })).status).toBe(200);
  });

  test('accepts a request without Host, as HTTP/1.0 allows', async () => {
    const { url } = await start();
    expect(await exchangeText(url, 'GET /v2/ HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('accepts the absolute form', async () => {
    const { url } = await start({ place: createMemoryPlace() });
    const { status } = await sendRaw(url, {
      path: `${url.origin}/v2/?n=1`,
      headers: { host: 'evil.example' },
    });
    expect(status).toBe(200);
  });

  test('refuses an unknown name in the absolute form', async () => {
    const answer = await sendRaw((await start()).url, {
      path: 'http://evil.example/v2/',
      headers: { host: 'localhost' },
    });
    expect([answer.status, errorCodes(answer)]).toEqual([403, ['DENIED']]);
  });

  test('refuses any Origin, even its own name', async () => {
    const { url } = await start({ allowedHosts: ['registry.local'] });
    const answer = await sendRaw(url, {
      path: '/v2/',
      headers: { host: 'registry.local', origin: 'http://registry.local' },
    });
    expect([answer.status, errorCodes(answer)]).toEqual([403, ['DENIED']]);
  });
});

describe('read-only', () => {
  test.each([
    ['PUT', '/v2/a/manifests/v1'],
    ['DELETE', '/v2/a/manifests/v1'],
    ['POST', '/v2/a/blobs/uploads/'],
    ['PATCH', '/v2/a/blobs/uploads/x'],
    ['DELETE', `/v2/a/blobs/sha256:${'0'.repeat(64)}`],
  ])('returns UNSUPPORTED for %s %s', async (method, path) => {
    const answer = await sendRaw((await start({ readOnly: true })).url, { method, path });
    expect([answer.status, errorCodes(answer)]).toEqual([405, ['UNSUPPORTED']]);
  });

  test('serves reads', async () => {
    const place = createMemoryPlace();
    await makeImage().pushAll(place.open('a'), 'v1');
    expect(
      (await sendRaw((await start({ place, readOnly: true })).url, { path: '/v2/a/manifests/v1' }))
        .status,
    ).toBe(200);
  });
});

describe('authenticateHtpasswd()', () => {
  const text = `# users\n\nalice:${hashSync('wonder:land', 4)}\r\nbob:${hashSync('x', 4).replace('$2b$', '$2y$')}\n`;
  const basic = (userinfo: string): string => `Basic ${Buffer.from(userinfo).toString('base64')}`;

  test.each(['alice:wonder:land', 'bob:x'])('allows %s', async (userinfo) => {
    const { url } = await start({ authenticate: authenticateHtpasswd(text) });
    for (let time = 0; time < 2; time += 1)
      expect(
        (await sendRaw(url, { path: '/v2/', headers: { authorization: basic(userinfo) } })).status,
      ).toBe(200);
  });

  test.each([
    undefined,
    basic('alice:wrong'),
    basic('nobody:x'),
    basic('alice'),
    'Basic ???',
    'Bearer token',
  ])('challenges %j', async (authorization) => {
    const { url } = await start({ authenticate: authenticateHtpasswd(text) });
    const answer = await sendRaw(url, {
      path: '/v2/',
      headers: authorization === undefined ? {} : { authorization },
    });
    expect([answer.status, errorCodes(answer)]).toEqual([401, ['UNAUTHORIZED']]);
    expect(answer.headers['www-authenticate']).toMatch(/^Basic realm="regi"/);
  });

  test('runs before anything is looked up', async () => {
    const { url } = await start({ authenticate: authenticateHtpasswd(text) });
    for (const path of ['/v2/nowhere/tags/list', '/v2/NO/tags/list', '/elsewhere'])
      expect((await sendRaw(url, { path })).status).toBe(401);
  });

  test('C7: checks an unknown user for as long as a known one', async () => {
    const authenticate = authenticateHtpasswd(`alice:${hashSync('right', 4)}\n`);
    const shortest = async (username: string): Promise<number> => {
      const times: number[] = [];
      for (let attempt = 0; attempt < 9; attempt += 1) {
        const start = performance.now();
        const headers = { authorization: basic(`${username}:wrong`) };
        const call = { method: 'GET', path: '/v2/', query: new URLSearchParams(), headers };
        expect((await authenticate(call)).kind).toBe('challenge');
        times.push(performance.now() - start);
      }
      return Math.min(...times);
    };
    await shortest('alice');
    // Cost 4 is the least. A stand-in of the usual cost, 10, takes 64 times as long; the factor
    // allows for a busy machine.
    expect(await shortest('mallory')).toBeLessThan(8 * (await shortest('alice')));
  });

  test.each(['', 'alice', 'alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=', ':x', 'alice:$apr1$x$y'])(
    'throws on %j',
    (file) => {
      expect(() => authenticateHtpasswd(file)).toThrow(
        expect.objectContaining({ code: 'INVALID_CONFIG' }),
      );
    },
  );

  test('shows no hash in its message', () => {
    expect(() => authenticateHtpasswd('alice:SECRETHASH')).toThrow(/^(?!.*SECRETHASH)/);
  });
});

describe('startServer()', () => {
  test('throws when the port is in use', async () => {
    const { port } = await start();
    await expect(start({ listen: { port } })).rejects.toMatchObject({
      code: 'FAILED',
      message: expect.stringContaining('the port is in use') as string,
    });
  });

  test('logs a line for each request', async () => {
    const lines: string[] = [];
    const { url } = await start({ log: (line) => lines.push(line) });
    await sendRaw(url, { path: '/v2/a/tags/list?n=1' });
    expect(lines).toEqual(['127.0.0.1 GET /v2/a/tags/list?n=1 404 0 ms']);
  });

  test('stops when its signal aborts', async () => {
    const stop = new AbortController();
    const server = await start({ signal: stop.signal });
    stop.abort();
    await server.close();
    await expect(sendRaw(server.url, { path: '/v2/' })).rejects.toThrow('ECONNREFUSED');
  });

  test('serves the repository that repositoryFor() returns', async () => {
    const place = createMemoryPlace();
    await makeImage().pushAll(place.open('ghcr.io/team/app'), 'v1');
    const { url } = await start({
      place,
      repositoryFor: (name, namespace) => (namespace === undefined ? name : `${namespace}/${name}`),
    });
    expect((await sendRaw(url, { path: '/v2/team/app/manifests/v1?ns=ghcr.io' })).status).toBe(200);
    expect((await sendRaw(url, { path: '/v2/team/app/manifests/v1' })).status).toBe(404);
  });
});

describe('parseRoute()', () => {
  test('throws only refusals, whatever the path', () => {
    const segment = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'v2',
        'blobs',
        'uploads',
        'manifests',
        'tags',
        'list',
        'referrers',
        'a',
        '..',
        '%2f',
        '%',
      ),
    );
    const isSafe = (segments: readonly string[]): boolean => {
      try {
        const route = parseRoute(`/${segments.join('/')}`);
        return !('repository' in route) || /^[a-z0-9._/-]+$/.test(route.repository);
      } catch (error) {
        return error instanceof RefusedRequestError;
      }
    };
    expect(() => fc.assert(fc.property(fc.array(segment), isSafe))).not.toThrow();
  });
});
