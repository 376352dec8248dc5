import { expect, test } from 'vitest';

import { invalidResponse, responseError } from '../../src/registry/errors.ts';
import type { RegistryResponse } from '../../src/registry/connection.ts';
import { fakeTransport, type FakeResponse } from '../support/http/fake-transport.ts';
import { testConnection } from '../support/http/registry-connection.ts';

async function answered(answer: FakeResponse, path = '/v2/'): Promise<RegistryResponse> {
  return testConnection(fakeTransport(() => answer).send, { retries: 0 }).send('GET', path, {
    scopes: [],
  });
}

async function errorOf(answer: FakeResponse): Promise<Error> {
  return responseError('Cannot read "x"', await answered(answer));
}

test.each([
  [400, 'REFUSED'],
  [401, 'NOT_AUTHORISED'],
  [403, 'NOT_AUTHORISED'],
  [404, 'NOT_FOUND'],
  [405, 'REFUSED'],
  [408, 'SERVER_FAILED'],
  [409, 'REFUSED'],
  [412, 'REFUSED'],
  [413, 'REFUSED'],
  [416, 'SERVER_FAILED'],
  [429, 'RATE_LIMITED'],
  [500, 'SERVER_FAILED'],
  [503, 'SERVER_FAILED'],
  [304, 'INVALID_RESPONSE'],
  [204, 'INVALID_RESPONSE'],
])('responseError() gives status %i the code %s', async (status, code) => {
  expect(await errorOf({ status })).toMatchObject({ code });
});

test("responseError() quotes the registry's explanation", async () => {
  const error = await errorOf({
    status: 404,
    body: { errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] },
  });
  expect(error.message).toBe(
    'Cannot read "x": "registry.example" does not have it (status 404, MANIFEST_UNKNOWN "manifest unknown")',
  );
});

test("B8: responseError() leads with the registry's reason for a 403", async () => {
  const error = await errorOf({
    status: 403,
    body: { errors: [{ code: 'DENIED', message: 'quota exceeded' }] },
  });
  expect(error).toMatchObject({
    message: 'Cannot read "x": "registry.example" refused it: DENIED "quota exceeded" (status 403)',
    hint: 'regi login registry.example',
  });
});

test.each([
  ['Negotiate, NTLM', 'negotiate, ntlm'],
  ['Digest realm="r", qop="auth"', 'digest'],
  ['Bearer realm="null://auth",service="s"', 'bearer with the realm "null://auth"'],
  ['Bearer realm="/token",service="s"', 'bearer with the realm "/token"'],
  ['Bearer service="s"', 'bearer without a realm'],
])('B11: responseError() says that regi supports no login by %s', async (header, shown) => {
  const error = await errorOf({ status: 401, headers: { 'www-authenticate': header } });
  expect(error).toMatchObject({
    code: 'NOT_AUTHORISED',
    message: `Cannot read "x": "registry.example" wants a login by ${shown}; regi supports Basic, and Bearer with a realm over http or https (status 401)`,
    hint: expect.not.stringContaining('regi login') as string,
  });
});

test.each(['Negotiate, Basic realm="corp"', ''])(
  'B11: responseError() hints at a login after the challenge "%s"',
  async (header) => {
    const error = await errorOf({ status: 401, headers: { 'www-authenticate': header } });
    expect(error).toMatchObject({ hint: 'regi login registry.example' });
  },
);

test('B11: responseError() says that a web page responds with 404', async () => {
  const headers = { 'content-type': 'text/html' };
  expect(await errorOf({ status: 404, headers, body: '<html>' })).toMatchObject({
    code: 'NOT_FOUND',
    message: 'Cannot read "x": "registry.example" does not have it, says a web page (status 404)',
    hint: 'find out what responds there: regi doctor registry.example',
  });
});

test('responseError() keeps method, redacted URL, status and problems', async () => {
  const response = await answered(
    { status: 400, body: { errors: [{ code: 'A', message: 'b' }] } },
    '/v2/x?_state=secret',
  );
  expect(await responseError('Cannot', response)).toMatchObject({
    method: 'GET',
    url: 'https://registry.example/v2/x?_state=***',
    status: 400,
    problems: [{ code: 'A', message: 'b' }],
  });
});

test('responseError() does not treat a lost upload session as absence', async () => {
  expect(
    await errorOf({ status: 404, body: { errors: [{ code: 'BLOB_UPLOAD_UNKNOWN' }] } }),
  ).toMatchObject({ code: 'SERVER_FAILED' });
});

test('responseError() keeps the wait that the registry asks for', async () => {
  const error = await errorOf({ status: 429, headers: { 'retry-after': '90' } });
  expect(error).toMatchObject({
    retryAfterMs: 90_000,
    message: expect.stringContaining('asks to wait 90 s'),
  });
});

test('responseError() hints at a login when Docker Hub limits pulls', async () => {
  const connection = testConnection(
    fakeTransport(() => ({
      status: 429,
      headers: { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0' },
    })).send,
    {
      host: 'docker.io',
    },
  );
  const error = await responseError('Cannot', await connection.send('GET', '/v2/', { scopes: [] }));
  expect(error.hint).toContain('regi login docker.io');
});

test('responseError() hints at --chunk-size when the body is too large', async () => {
  expect(
    await errorOf({ status: 413, body: '<html><title>413 Request Entity Too Large</title>' }),
  ).toMatchObject({
    hint: expect.stringContaining('--chunk-size'),
  });
});

test('responseError() reads no more than 64 KiB of an endless body', async () => {
  let read = 0;
  const body = {
    async *[Symbol.asyncIterator]() {
      for (;;) {
        read += 1024;
        yield new Uint8Array(1024).fill(120);
      }
    },
  };
  await errorOf({ status: 500, body });
  expect(read).toBeLessThanOrEqual(65 * 1024);
});

test('invalidResponse() reports a web page instead of a registry', async () => {
  const response = await answered({
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  });
  expect(invalidResponse('Cannot read "x"', response, 'expected y').message).toBe(
    'Cannot read "x": expected a registry at "registry.example", found a web page (status 200)',
  );
});

test('responseError() does not hint at a login when a storage refuses', async () => {
  const connection = testConnection(
    fakeTransport(({ url }) =>
      url.host === 'registry.example'
        ? { status: 307, headers: { location: 'https://storage.example/x' } }
        : { status: 403 },
    ).send,
  );
  const error = await responseError(
    'Cannot read "x"',
    await connection.send('GET', '/v2/a/blobs/x', { scopes: [] }),
  );
  expect(error).toMatchObject({
    code: 'REFUSED',
    message: expect.stringContaining('"storage.example", where "registry.example" redirected us'),
  });
});

test.each([
  ['ghcr.io', 'GitHub'],
  ['1.dkr.ecr.eu-west-1.amazonaws.com', 'aws ecr batch-delete-image'],
  ['registry.example', 'its own tool'],
])('responseError() hints how to delete at %s', async (host, hint) => {
  const connection = testConnection(fakeTransport(() => ({ status: 405 })).send, { host });
  expect(
    (await responseError('Cannot', await connection.send('DELETE', '/v2/x', { scopes: [] }))).hint,
  ).toContain(hint);
});
