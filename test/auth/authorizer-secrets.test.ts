import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Access } from '../../src/auth/authorization.ts';
import { NotAuthorisedError } from '../../src/auth/not-authorised.ts';
import { CATALOG_SCOPE, repositoryScope } from '../../src/auth/scope.ts';
import type { Credential } from '../../src/credentials/credential.ts';
import type { HttpRequest, Method } from '../../src/http/message.ts';
import type { FakeResponse } from '../support/http/fake-transport.ts';
import {
  ORIGIN,
  REALM,
  BEARER,
  PASSWORD,
  BASIC_ALICE,
  PULL,
  PUSH,
  setUp,
  request,
  tokenRegistry,
  challenge,
  failure,
} from '../support/http/authorizer.ts';

describe('send() to a registry with Basic', () => {
  const basic = ({ headers, url }: HttpRequest): FakeResponse =>
    headers?.['authorization'] === BASIC_ALICE
      ? { status: url.pathname.includes('secret') ? 403 : 200 }
      : challenge('Basic realm="basic-realm"');

  test('sends the password only after a Basic challenge, then with each request', async () => {
    const setup = setUp(basic, { credential: PASSWORD });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(
      (
        await setup.authorizer.send(request('/v2/b/tags/list'), {
          scopes: [repositoryScope('b', ['pull'])],
        })
      ).status,
    ).toBe(200);
    expect(setup.requests.map(({ headers }) => headers?.['authorization'])).toEqual([
      undefined,
      BASIC_ALICE,
      BASIC_ALICE,
    ]);
  });

  test('returns the 401 after one request without credentials', async () => {
    const setup = setUp(basic);
    expect(await setup.authorizer.send(request(), PULL)).toMatchObject({
      status: 401,
      tried: undefined,
    });
    expect(setup.requests.length).toBe(1);
  });

  test('sends refused credentials once', async () => {
    const setup = setUp(() => challenge('Basic realm="r"'), { credential: PASSWORD });
    expect(await setup.authorizer.send(request(), PULL)).toMatchObject({
      status: 401,
      tried: { origin: '~/.docker/config.json', refused: true },
    });
    expect(setup.requests.length).toBe(2);
    await setup.authorizer.send(request(), PULL);
    expect(
      setup.requests.filter(({ headers }) => headers?.['authorization'] !== undefined).length,
    ).toBe(1);
  });

  test('keeps credentials that worked before after a refusal', async () => {
    let strict = false;
    const setup = setUp((asked) => (strict ? challenge('Basic realm="r"') : basic(asked)), {
      credential: PASSWORD,
    });
    await setup.authorizer.send(request(), PULL);
    strict = true;
    expect(
      await setup.authorizer.send(request('/v2/app/blobs/uploads/', 'POST'), PUSH),
    ).toMatchObject({ status: 401, tried: { refused: false } });
    strict = false;
    expect(
      (await setup.authorizer.send(request('/v2/app/blobs/uploads/', 'POST'), PUSH)).status,
    ).toBe(200);
  });

  test('returns a 403 with the credentials that were tried', async () => {
    const setup = setUp(basic, { credential: PASSWORD });
    expect(await setup.authorizer.send(request('/v2/secret/tags/list'), PULL)).toMatchObject({
      status: 403,
      tried: { origin: '~/.docker/config.json', refused: false },
    });
  });

  test('keeps tokens for repositories when only the catalog wants Basic (Harbor)', async () => {
    const setup = setUp(
      ({ url, headers }) => {
        if (url.origin !== ORIGIN) return { status: 200, body: { token: 't' } };
        if (url.pathname === '/v2/_catalog')
          return headers?.['authorization'] === BASIC_ALICE
            ? { status: 200 }
            : challenge('Basic realm="harbor"');
        return headers?.['authorization'] === 'Bearer t' ? { status: 200 } : challenge(BEARER);
      },
      { credential: PASSWORD },
    );
    const catalog: Access = { scopes: [CATALOG_SCOPE] };
    for (const _time of [1, 2]) {
      expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
      expect((await setup.authorizer.send(request('/v2/_catalog'), catalog)).status).toBe(200);
    }
    expect(setup.requests.length).toBe(3 + 2 + 2);
  });

  test('warns once when the password goes over plain http', async () => {
    const setup = setUp(basic, { credential: PASSWORD, origin: 'http://registry.example' });
    await setup.authorizer.send(request('/v2/', 'GET', 'http://registry.example'), PULL);
    await setup.authorizer.send(request('/v2/', 'GET', 'http://registry.example'), PULL);
    expect(setup.notices).toEqual([
      'Credentials for "registry.example" go over plain http: anyone on the network path can read them',
    ]);
  });

  test('does not warn about plain http on loopback', async () => {
    const setup = setUp(basic, { credential: PASSWORD, origin: 'http://127.0.0.1:5000' });
    await setup.authorizer.send(request('/v2/', 'GET', 'http://127.0.0.1:5000'), PULL);
    expect(setup.notices).toEqual([]);
  });
});

describe('send() with a registry token', () => {
  const credential: Credential = { kind: 'registry-token', token: 'BEARER' };

  test('sends it to the registry unchanged, and to no realm', async () => {
    const setup = setUp(tokenRegistry({ accepts: (token) => token === 'BEARER' }), { credential });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.log()).toEqual([
      `GET ${ORIGIN}/v2/app/manifests/1`,
      `GET ${ORIGIN}/v2/app/manifests/1 Bearer BEARER`,
    ]);
  });

  test('reads anonymously when it is refused', async () => {
    const setup = setUp(tokenRegistry({ accepts: (token) => token === 't1' }), { credential });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.notices.length).toBe(1);
  });

  test('refuses a token that would break the header', async () => {
    const setup = setUp(tokenRegistry(), {
      credential: { kind: 'registry-token', token: 'a\r\nX: b' },
    });
    expect(await failure(setup.authorizer.send(request(), PULL))).toMatchObject({
      code: 'NOT_AUTHORISED',
    });
  });
});

describe('send() sends no secret to', () => {
  const challengers = [BEARER, 'Basic realm="x"', `Bearer realm="${ORIGIN}/token"`];

  test.each([
    'https://storage.example',
    'http://registry.example',
    'https://registry.example:8443',
    'https://cdn.registry.example',
  ])('another origin: %s', async (origin) => {
    for (const header of challengers) {
      const setup = setUp(
        (asked) => (asked.url.origin === origin ? challenge(header) : tokenRegistry()(asked)),
        { credential: PASSWORD },
      );
      await setup.authorizer.send(request(), PULL);
      const before = setup.requests.length;
      const foreign = request('/blob?sig=1', 'GET', origin);
      expect((await setup.authorizer.send(foreign, PULL)).status).toBe(401);
      expect(setup.requests.slice(before)).toEqual([foreign]);
    }
  });

  test('a realm named by a redirect target', async () => {
    const setup = setUp(
      () => ({ ...challenge(BEARER), url: new URL('https://evil.example/v2/') }),
      { credential: PASSWORD },
    );
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    expect(setup.requests.length).toBe(1);
    expect(setup.lookups).toEqual([]);
  });

  test.each([
    'http://auth.example/token',
    'https://169.254.169.254/token',
    'https://localhost/token',
    'https://[::1]/token',
  ])('the realm %s of a public registry', async (realm) => {
    const setup = setUp(() => challenge(`Bearer realm="${realm}"`), { credential: PASSWORD });
    expect(await failure(setup.authorizer.send(request(), PULL))).toMatchObject({
      code: 'UNSAFE_REALM',
    });
    expect(setup.requests.length).toBe(1);
    expect(setup.lookups).toEqual([]);
  });

  test('a private address behind the name of a realm', async () => {
    const setup = setUp(tokenRegistry(), { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    expect(setup.requests[1]?.reach).toBe('public');
  });

  test('the user info of a realm', async () => {
    const setup = setUp(
      (asked) =>
        asked.url.origin === ORIGIN
          ? challenge('Bearer realm="https://eve:pw@auth.example/token"')
          : { status: 200, body: { token: 't' } },
      { credential: PASSWORD },
    );
    await setup.authorizer.send(request(), PULL);
    expect(setup.requests[1]?.url.username).toBe('');
  });
});

describe('send()', () => {
  test('ends after a few requests with any responses of the registry', async () => {
    const header = fc.constantFrom(
      BEARER,
      `${BEARER},error="invalid_token"`,
      `${BEARER},error="insufficient_scope"`,
      'Basic realm="x"',
      '',
      'Digest realm="x"',
      `Bearer realm="${ORIGIN}/token2"`,
    );
    const answer = fc.record({
      status: fc.constantFrom(200, 401, 403),
      header,
      body: fc.constantFrom('', '{"token":"t"}'),
    });
    const credential = fc.constantFrom<Credential | undefined>(
      undefined,
      PASSWORD,
      { kind: 'identity-token', token: 'r' },
      { kind: 'registry-token', token: 'b' },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.infiniteStream(answer),
        credential,
        fc.constantFrom<Method>('GET', 'PUT'),
        async (answers, chosen, method) => {
          const setup = setUp(
            () => {
              const { status, header: value, body } = answers.next().value;
              return { status, headers: { 'www-authenticate': value }, body };
            },
            { credential: chosen },
          );
          await failure(setup.authorizer.send(request('/v2/app/manifests/1', method), PULL));
          expect(setup.requests.length).toBeLessThan(20);
        },
      ),
    );
  });

  test('shows no secret in an error or a notice', async () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{12,20}$/);
    await fc.assert(
      fc.asyncProperty(
        secret,
        secret,
        fc.constantFrom(401, 403, 400, 500, 302, 200),
        fc.constantFrom<Method>('GET', 'PUT'),
        async (password, token, status, method) => {
          for (const credential of [
            { kind: 'password', username: 'u', password },
            { kind: 'identity-token', token: password },
            { kind: 'registry-token', token: password },
          ] as const) {
            const echo = {
              status,
              headers: { location: `https://evil.example/?p=${password}` },
              body: { errors: [{ message: password }], token: '', x: token },
            };
            const setup = setUp(
              (asked) =>
                asked.url.origin === ORIGIN
                  ? challenge(`${BEARER.replace(REALM, `${REALM}?key=${token}`)},error="${token}"`)
                  : echo,
              { credential },
            );
            const error = await failure(
              setup.authorizer.send(request('/v2/app/manifests/1', method), PULL),
            );
            const shown = [
              String(error),
              error instanceof NotAuthorisedError ? error.hint : '',
              ...setup.notices,
            ].join('\n');
            expect(shown).not.toContain(password);
            expect(shown).not.toContain(token);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('passes on an abort, also while it waits for a token', async () => {
    const controller = new AbortController();
    const setup = setUp(({ url }) => {
      if (url.origin === ORIGIN) return challenge(BEARER);
      controller.abort(new Error('interrupted'));
      return { status: 200, body: { token: 't' } };
    });
    await expect(
      setup.authorizer.send({ ...request(), signal: controller.signal }, PULL),
    ).rejects.toThrow('interrupted');
  });

  test('throws the error of the credential lookup', async () => {
    const setup = setUp(tokenRegistry(), {
      credentials: () => Promise.reject(new Error('keychain locked')),
    });
    await expect(setup.authorizer.send(request(), PULL)).rejects.toThrow('keychain locked');
  });
});
