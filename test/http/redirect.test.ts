import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import {
  headersOf,
  type HttpRequest,
  type HttpResponse,
  type Method,
} from '../../src/http/message.ts';
import { followRedirects, nextHop } from '../../src/http/redirect.ts';
import { startHttpServer } from '../support/http/http-server.ts';
import { testTransport } from '../support/http/transport.ts';

const SECRETS = {
  authorization: 'Bearer secret',
  cookie: 'session=secret',
  'proxy-authorization': 'Basic secret',
};

function request(overrides: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: 'GET',
    url: new URL('https://registry.test/v2/a/blobs/x'),
    headers: { ...SECRETS, accept: '*/*' },
    ...overrides,
  };
}

function answer(
  location: string | undefined,
  {
    status = 307,
    url = 'https://registry.test/v2/a/blobs/x',
    remoteAddress = '93.184.216.34',
  } = {},
): HttpResponse {
  return {
    status,
    headers: headersOf({ location }),
    url: new URL(url),
    remoteAddress,
    body: bytesOf(new Uint8Array(0)),
  };
}

describe('nextHop()', () => {
  test.each([200, 201, 202, 300, 304, 404])('nextHop() is undefined for status %i', (status) => {
    expect(nextHop(request(), answer('/there', { status }))).toBeUndefined();
  });

  test('nextHop() is undefined without a Location', () => {
    expect(nextHop(request(), answer(undefined))).toBeUndefined();
  });

  test.each([
    ['/v2/there?a=b', 'https://registry.test/v2/there?a=b'],
    ['there', 'https://registry.test/v2/a/blobs/there'],
    ['//cdn.test/x?sig=%2B', 'https://cdn.test/x?sig=%2B'],
    ['https://cdn.test/x#part', 'https://cdn.test/x'],
  ])('nextHop() resolves %s', (location, expected) => {
    expect(nextHop(request(), answer(location))?.url.href).toBe(expected);
  });

  test.each([
    'https://cdn.test/x',
    'https://registry.test:444/x',
    'https://sub.registry.test/x',
    'https://registry.test.evil.test/x',
  ])('nextHop() leaves credentials behind on the way to %s', (location) => {
    expect(nextHop(request(), answer(location))?.headers).toEqual({ accept: '*/*' });
  });

  test('nextHop() leaves credentials behind when only the scheme changes', () => {
    const hop = nextHop(
      request({ url: new URL('http://registry.test/') }),
      answer('https://registry.test/x', { url: 'http://registry.test/' }),
    );
    expect(hop?.headers).toEqual({ accept: '*/*' });
  });

  test('nextHop() leaves credentials behind in any case of their names', () => {
    expect(
      nextHop(request({ headers: { Authorization: 'secret' } }), answer('https://cdn.test/'))
        ?.headers,
    ).toEqual({});
  });

  test('nextHop() keeps credentials on the same origin', () => {
    expect(nextHop(request(), answer('https://registry.test:443/x'))?.headers).toEqual({
      ...SECRETS,
      accept: '*/*',
    });
  });

  test.each([
    ['http://registry.test/x', 'https to plain http'],
    ['http://cdn.test/x', 'https to plain http'],
    ['ftp://cdn.test/x', 'expected http or https'],
    ['file:///etc/passwd', 'expected http or https'],
    ['javascript:alert(1)', 'expected http or https'],
    ['https://user:hunter2@cdn.test/x', 'names a user'],
    ['https://:0/', 'expected a URL'],
    ['https://[::1', 'expected a URL'],
  ])('nextHop() refuses %s', (location, said) => {
    const hop = (): unknown => nextHop(request(), answer(location));
    expect(hop).toThrow(expect.objectContaining({ code: 'UNSAFE_REDIRECT' }) as Error);
    expect(hop).toThrow(said);
    expect(hop).not.toThrow('hunter2');
  });

  test.each([
    ['GET', 301, 'GET'],
    ['HEAD', 302, 'HEAD'],
    ['HEAD', 303, 'HEAD'],
    ['PUT', 307, 'PUT'],
    ['POST', 308, 'POST'],
    ['POST', 303, 'GET'],
    ['DELETE', 307, 'DELETE'],
  ] as const)('nextHop() turns %s after %i into %s', (method, status, expected) => {
    expect(nextHop(request({ method }), answer('/x', { status }))?.method).toBe(expected);
  });

  test.each([
    ['POST', 301],
    ['PUT', 302],
    ['PATCH', 301],
    ['DELETE', 302],
  ] as const)('nextHop() refuses to guess the method of %s after %i', (method: Method, status) => {
    expect(() => nextHop(request({ method }), answer('/x', { status }))).toThrow(
      `expected 307 or 308, which keep the method, found ${status}`,
    );
  });

  test('nextHop() keeps the body only with the method', () => {
    const body = Buffer.from('x');
    const put = request({ method: 'PUT', body, headers: { 'content-type': 'a/b' } });
    expect(nextHop(put, answer('/x'))).toMatchObject({ body, headers: { 'content-type': 'a/b' } });
    expect(nextHop(put, answer('/x', { status: 303 }))).toMatchObject({
      body: undefined,
      headers: {},
    });
  });

  test.each([
    ['93.184.216.34', 'https://cdn.test/', 'public'],
    ['93.184.216.34', '/same', undefined],
    ['10.0.0.7', 'https://cdn.test/', undefined],
  ])('nextHop() from %s to %s has reach %s', (remoteAddress, location, reach) => {
    expect(nextHop(request(), answer(location, { remoteAddress }))?.reach).toBe(reach);
  });

  test('nextHop() does not widen the reach again', () => {
    expect(
      nextHop(
        request({ reach: 'public' }),
        answer('https://cdn.test/', { remoteAddress: '10.0.0.7' }),
      )?.reach,
    ).toBe('public');
  });

  test('nextHop() keeps the reach when a proxy hides the address', () => {
    expect(
      nextHop(request(), { ...answer('https://cdn.test/'), remoteAddress: undefined })?.reach,
    ).toBeUndefined();
  });
});

describe('followRedirects()', () => {
  test('followRedirects() sends no credentials to the target of a redirect', async () => {
    const storage = await startHttpServer(
      (incoming, response) => void response.end(JSON.stringify(incoming.headers)),
    );
    const registry = await startHttpServer(
      (_incoming, response) =>
        void response.writeHead(307, { location: `${storage.origin}/blob` }).end('elsewhere'),
    );
    const { send, counters } = testTransport();
    const response = await followRedirects(request({ url: registry.url('/v2/') }), send);
    const chunks: Uint8Array[] = [];
    for await (const chunk of response.body) chunks.push(new Uint8Array(chunk));
    const seen = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string>;
    expect(response.url.origin).toBe(storage.origin);
    expect(seen).not.toHaveProperty('authorization');
    expect(seen).not.toHaveProperty('cookie');
    expect(counters.of(registry.origin).requests).toBe(1);
  });

  test('followRedirects() stops at the limit', async () => {
    let hops = 0;
    const circle = async (hop: HttpRequest): Promise<HttpResponse> => (
      hops++,
      answer('/again', { url: hop.url.href })
    );
    await expect(followRedirects(request(), circle, 3)).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
    });
    expect(hops).toBe(4);
  });

  test('followRedirects() reads the body of every response but the last', async () => {
    let closed = 0;
    async function* body(): AsyncGenerator<Uint8Array> {
      closed++;
      yield new Uint8Array(0);
    }
    const send = async (hop: HttpRequest): Promise<HttpResponse> => {
      const isLast = hop.url.pathname === '/end';
      return {
        ...answer('/end', { status: isLast ? 200 : 302 }),
        body: { [Symbol.asyncIterator]: body },
      };
    };
    expect((await followRedirects(request(), send)).status).toBe(200);
    expect(closed).toBe(1);
  });

  test('followRedirects() discards the response that it refuses to follow', async () => {
    let closed = 0;
    async function* body(): AsyncGenerator<Uint8Array> {
      closed++;
      yield new Uint8Array(0);
    }
    const send = async (): Promise<HttpResponse> => ({
      ...answer('http://cdn.test/'),
      body: { [Symbol.asyncIterator]: body },
    });
    await expect(followRedirects(request(), send)).rejects.toMatchObject({
      code: 'UNSAFE_REDIRECT',
    });
    expect(closed).toBe(1);
  });
});
