import { describe, expect, test } from 'vitest';

import { NotAuthorisedError } from '../../src/auth/not-authorised.ts';
import { parseScopes } from '../../src/auth/scope.ts';
import { fetchToken, type TokenRequest } from '../../src/auth/token-client.ts';
import type { Credential, FoundCredential } from '../../src/credentials/credential.ts';
import { NetworkError } from '../../src/http/errors.ts';
import { instantClock } from '../support/clock.ts';
import {
  fakeTransport,
  showRequest,
  textOf,
  type FakeResponse,
  type FakeTransport,
} from '../support/http/fake-transport.ts';

const ALICE = found({ kind: 'password', username: 'alice', password: 's3cret' });
const BASIC_ALICE = `Basic ${Buffer.from('alice:s3cret').toString('base64')}`;
const REFRESH = found({ kind: 'identity-token', token: 'R3FRESH' });
const REALM = 'https://auth.example/token';
const OK: FakeResponse = { status: 200, body: { token: 't' } };

function found(credential: Credential): FoundCredential {
  return { credential, origin: '~/.docker/config.json' };
}

function requestOf(changes: Partial<TokenRequest> = {}): TokenRequest {
  return {
    host: 'registry.example',
    repository: 'team/app',
    realm: { url: new URL(REALM), reach: 'public' },
    service: 'registry.example',
    scopes: parseScopes('repository:team/app:pull,push repository:base:pull'),
    credential: undefined,
    ...changes,
  };
}

async function run(
  request: TokenRequest,
  ...answers: readonly FakeResponse[]
): Promise<{ transport: FakeTransport; outcome: unknown }> {
  const rest = [...answers];
  const transport = fakeTransport(() => rest.shift() ?? { status: 500 });
  const outcome = await fetchToken(request, { send: transport.send, clock: instantClock() }).catch(
    (error: unknown) => error,
  );
  return { transport, outcome };
}

const QUERY =
  'service=registry.example&scope=repository%3Ateam%2Fapp%3Apull%2Cpush&scope=repository%3Abase%3Apull';

describe('fetchToken()', () => {
  test('sends a GET without credentials for anonymous access', async () => {
    const { transport, outcome } = await run(requestOf(), OK);
    expect(transport.requests.map(showRequest)).toEqual([`GET ${REALM}?${QUERY}`]);
    expect(outcome).toMatchObject({ value: 't' });
  });

  test('B11: says which registry named a token service that cannot be reached', async () => {
    const failing = fetchToken(requestOf(), {
      clock: instantClock(),
      send: async () => {
        throw new NetworkError('Cannot connect to "auth.example": no such host', {
          phase: 'connect',
          reason: 'ENOTFOUND',
        });
      },
    });
    await expect(failing).rejects.toMatchObject({
      code: 'NETWORK',
      message:
        'Cannot get a token for "registry.example": it names the token service "https://auth.example": Cannot connect to "auth.example": no such host',
      hint: expect.stringContaining('doctor') as string,
    });
  });

  test('sends a GET with Basic and the account for a password', async () => {
    const { transport } = await run(requestOf({ credential: ALICE }), OK);
    expect(transport.requests.map(showRequest)).toEqual([
      `GET ${REALM}?${QUERY}&account=alice ${BASIC_ALICE}`,
    ]);
  });

  test('sends robot user names and UTF-8 passwords unchanged', async () => {
    const { transport } = await run(
      requestOf({
        credential: found({ kind: 'password', username: 'robot$proj+ci', password: 'pä:ß' }),
      }),
      OK,
    );
    const [request] = transport.requests;
    expect(request?.url.searchParams.get('account')).toBe('robot$proj+ci');
    expect(request?.headers?.['authorization']).toBe(
      `Basic ${Buffer.from('robot$proj+ci:pä:ß', 'utf8').toString('base64')}`,
    );
  });

  test('omits an absent service', async () => {
    const { transport } = await run(requestOf({ service: undefined, scopes: [] }), OK);
    expect(transport.requests.map(showRequest)).toEqual([`GET ${REALM}`]);
  });

  test('limits its connections to the reach of the realm', async () => {
    const { transport } = await run(requestOf(), OK);
    expect(transport.requests[0]?.reach).toBe('public');
  });

  test('sends an OAuth2 POST with an identity token, which is never in the URL', async () => {
    const { transport } = await run(requestOf({ credential: REFRESH }), OK);
    const [request] = transport.requests;
    if (request === undefined) throw new Error('expected a request');
    expect(showRequest(request)).toBe(`POST ${REALM}`);
    expect(Object.fromEntries(new URLSearchParams(await textOf(request)))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'R3FRESH',
      client_id: 'regi',
      service: 'registry.example',
      scope: 'repository:team/app:pull,push repository:base:pull',
    });
  });

  test.each([400, 401, 404, 405])(
    'falls back to GET when POST with an identity token of a known user is answered with %d',
    async (status) => {
      const named = found({ kind: 'identity-token', token: 'R3FRESH', username: '00000000' });
      const { transport, outcome } = await run(
        requestOf({ credential: named, scopes: [] }),
        { status },
        OK,
      );
      expect(transport.requests[1]?.headers?.['authorization']).toBe(
        `Basic ${Buffer.from('00000000:R3FRESH').toString('base64')}`,
      );
      expect(outcome).toMatchObject({ value: 't' });
    },
  );

  test.each([404, 405])(
    'asks by POST with the password when GET is answered with %d',
    async (status) => {
      const { transport, outcome } = await run(
        requestOf({ credential: ALICE }),
        { status },
        { status: 200, body: { access_token: 'a' } },
      );
      const [, post] = transport.requests;
      const form = new URLSearchParams(post && (await textOf(post)));
      expect([form.get('grant_type'), form.get('username'), form.get('password')]).toEqual([
        'password',
        'alice',
        's3cret',
      ]);
      expect(outcome).toMatchObject({ value: 'a' });
    },
  );

  test.each([400, 414, 431])(
    'asks for the first scope alone when all are too many (%d)',
    async (status) => {
      const { transport, outcome } = await run(requestOf(), { status }, OK);
      expect(transport.requests[1]?.url.searchParams.getAll('scope')).toEqual([
        'repository:team/app:pull,push',
      ]);
      expect(outcome).toMatchObject({ value: 't' });
    },
  );

  test.each([
    [401, true],
    [403, false],
  ])('names the credentials that did not help on %d', async (status, refused) => {
    const { outcome } = await run(requestOf({ credential: ALICE }), { status });
    expect(outcome).toBeInstanceOf(NotAuthorisedError);
    expect(outcome).toMatchObject({
      code: 'NOT_AUTHORISED',
      status,
      tried: { origin: '~/.docker/config.json', refused },
    });
    expect(outcome).toHaveProperty('hint', expect.stringMatching(/regi login registry\.example$/));
    expect(String(outcome)).toContain(
      '"registry.example/team/app": it does not exist, or needs a login',
    );
    expect(String(outcome)).toContain('~/.docker/config.json');
    expect(String(outcome)).not.toMatch(/s3cret|alice/);
  });

  test('throws NOT_AUTHORISED when anonymous access is refused', async () => {
    const { outcome } = await run(requestOf(), { status: 403, body: 'access forbidden' });
    expect(outcome).toMatchObject({ code: 'NOT_AUTHORISED', tried: undefined });
  });

  test('treats a 400 to a refresh token as its refusal', async () => {
    const { outcome } = await run(requestOf({ credential: REFRESH, scopes: [] }), {
      status: 400,
      body: { error: 'invalid_grant' },
    });
    expect(outcome).toMatchObject({ code: 'NOT_AUTHORISED', tried: { refused: true } });
  });

  test.each([
    [{ status: 200, body: '<html>sign in</html>' }, 'INVALID_RESPONSE'],
    [{ status: 200, body: {} }, 'INVALID_RESPONSE'],
    [{ status: 418 }, 'REFUSED'],
    [{ status: 429 }, 'RATE_LIMITED'],
    [{ status: 503 }, 'SERVER_FAILED'],
    [{ status: 302 }, 'INVALID_RESPONSE'],
  ])('blames the service for %j', async (answer, code) => {
    const { outcome } = await run(requestOf(), answer);
    expect(outcome).toMatchObject({
      code,
      message: expect.stringContaining(
        'token for "registry.example" from "https://auth.example"',
      ) as string,
    });
  });

  test('hints at fewer connections after a 429', async () => {
    const { outcome } = await run(requestOf(), { status: 429 });
    expect(outcome).toMatchObject({
      hint: 'wait and try again, with fewer connections: --concurrency 2; or log in: regi login registry.example',
    });
  });

  test('stops reading an endless response', async () => {
    let read = 0;
    const endless = {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          read += 1024;
          yield new Uint8Array(1024);
        }
      },
    };
    const { outcome } = await run(requestOf(), { status: 200, body: endless });
    expect(outcome).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(read).toBeLessThanOrEqual(66 * 1024);
  });

  test('follows a redirect inside the realm', async () => {
    const { transport, outcome } = await run(
      requestOf({ credential: ALICE, scopes: [] }),
      { status: 301, headers: { location: '/token/' } },
      OK,
    );
    expect(transport.requests[1] && showRequest(transport.requests[1])).toBe(
      `GET https://auth.example/token/ ${BASIC_ALICE}`,
    );
    expect(outcome).toMatchObject({ value: 't' });
  });

  test('ends a redirect loop', async () => {
    const loop = { status: 302, headers: { location: '/token' } };
    const { transport, outcome } = await run(requestOf(), loop, loop, loop, loop, loop, loop);
    expect(outcome).toMatchObject({ code: 'INVALID_RESPONSE' });
    expect(transport.requests.length).toBe(4);
  });

  test.each([
    [ALICE, 'https://evil.example/token'],
    [ALICE, 'http://auth.example/token'],
    [ALICE, 'https://auth.example:8443/token'],
    [REFRESH, 'https://evil.example/token'],
    [undefined, 'https://evil.example/token'],
  ])(
    'sends nothing to another origin that the service redirects to',
    async (credential, location) => {
      const { transport, outcome } = await run(
        requestOf({ credential }),
        { status: 307, headers: { location } },
        OK,
      );
      expect(outcome).toMatchObject({ code: 'UNSAFE_REALM' });
      expect(transport.requests.map(({ url }) => url.origin)).toEqual(['https://auth.example']);
    },
  );
});
