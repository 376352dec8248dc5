import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createAuthorizer, type AuthorizeOptions, type Authorizer } from '../../src/auth/authorizer.ts';
import { NotAuthorisedError, type AuthorizedResponse } from '../../src/auth/not-authorised.ts';
import { UnsafeRealmError } from '../../src/auth/realm.ts';
import { CATALOG_SCOPE, repositoryScope } from '../../src/auth/scope.ts';
import { TokenCache } from '../../src/auth/token-cache.ts';
import { bytesOf } from '../../src/bytes.ts';
import type { Credential, CredentialSource } from '../../src/credentials/credential.ts';
import type { HttpRequest, Method } from '../../src/http/message.ts';
import { fakeClock, type FakeClock } from '../support/fake-clock.ts';
import { fakeTransport, showRequest, textOf, type FakeAnswer, type FakeTransport } from '../support/fake-transport.ts';

const ORIGIN = 'https://registry.example';
const REALM = 'https://auth.example/token';
const BEARER = `Bearer realm="${REALM}",service="s",scope="repository:placeholder:pull"`;
const PASSWORD: Credential = { kind: 'password', username: 'alice', password: 's3cret' };
const BASIC_ALICE = `Basic ${Buffer.from('alice:s3cret').toString('base64')}`;
const PULL: AuthorizeOptions = { scopes: [repositoryScope('app', ['pull'])], repository: 'app' };
const PUSH: AuthorizeOptions = { scopes: [repositoryScope('app', ['pull', 'push'])], repository: 'app' };

interface Setup extends FakeTransport {
  readonly authorizer: Authorizer;
  readonly clock: FakeClock;
  readonly notices: string[];
  readonly lookups: string[];
  /** What went where, in order. */
  log(): readonly string[];
}

interface SetupOptions {
  readonly credential?: Credential | undefined;
  readonly credentials?: CredentialSource;
  readonly origin?: string;
}

function setUp(handle: (request: HttpRequest, setup: Setup) => FakeAnswer | Promise<FakeAnswer>, options: SetupOptions = {}): Setup {
  const { credential, origin = ORIGIN } = options;
  const clock = fakeClock();
  const notices: string[] = [];
  const lookups: string[] = [];
  const transport: FakeTransport = fakeTransport((request) => handle(request, setup));
  const credentials: CredentialSource =
    options.credentials ??
    (async (host) => {
      lookups.push(host);
      return credential && { credential, origin: '~/.docker/config.json' };
    });
  const authorizer = createAuthorizer({
    send: transport.send,
    origin: new URL(origin),
    host: 'registry.example',
    credentials,
    tokens: new TokenCache(clock),
    clock,
    onNotice: (message) => void notices.push(message),
  });
  const setup: Setup = { ...transport, authorizer, clock, notices, lookups, log: () => transport.requests.map(showRequest) };
  return setup;
}

function request(path = '/v2/app/manifests/1', method: Method = 'GET', origin = ORIGIN): HttpRequest {
  return { method, url: new URL(path, origin) };
}

/** A registry with token authentication: `accepts` decides on the token of a request, `grants` on what the token service answers. */
function tokenRegistry({
  accepts = (token) => token.startsWith('t'),
  grants,
  refusal = (token) => (token === undefined ? BEARER : `${BEARER},error="invalid_token"`),
}: {
  readonly accepts?: (token: string) => boolean;
  readonly grants?: (request: HttpRequest, count: number) => FakeAnswer;
  readonly refusal?: (token: string | undefined) => string;
} = {}): (request: HttpRequest) => FakeAnswer {
  let granted = 0;
  return (asked) => {
    if (asked.url.origin !== ORIGIN) {
      granted += 1;
      return grants?.(asked, granted) ?? { status: 200, body: { token: `t${granted}` } };
    }
    const token = asked.headers?.['authorization']?.replace(/^Bearer /, '');
    if (token !== undefined && accepts(token)) return { status: 200, body: 'content' };
    return { status: 401, headers: { 'www-authenticate': refusal(token) }, body: { errors: [{ code: 'UNAUTHORIZED' }] } };
  };
}

function challenge(header: string, status = 401): FakeAnswer {
  return { status, headers: { 'www-authenticate': header } };
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => error,
  );
}

describe('send() of an open registry', () => {
  test('adds nothing and looks nothing up when nothing is asked', async () => {
    const setup = setUp(() => ({ status: 200 }), { credential: PASSWORD });
    const sent = request();
    expect((await setup.authorizer.send(sent, PULL)).status).toBe(200);
    expect(setup.requests).toEqual([sent]);
    expect(setup.lookups).toEqual([]);
  });

  test.each([404, 500, 429])('passes %d on', async (status) => {
    const setup = setUp(() => ({ status, headers: { 'www-authenticate': BEARER } }));
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(status);
    expect(setup.requests.length).toBe(1);
  });

  test('pings for a challenge after a bare 403, and gives the 403 back when there is none', async () => {
    const setup = setUp(({ url }) => (url.pathname === '/v2/' ? { status: 200 } : { status: 403, body: 'no' }), { credential: PASSWORD });
    const answer = await setup.authorizer.send(request(), PULL);
    expect(answer.status).toBe(403);
    expect(await bodyOf(answer)).toBe('no');
    expect(setup.lookups).toEqual([]);
  });
});

describe('send() of a registry with tokens', () => {
  test('gets an anonymous token for its own scope, not for the one of the challenge', async () => {
    const setup = setUp(tokenRegistry());
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.log()).toEqual([
      'GET https://registry.example/v2/app/manifests/1',
      'GET https://auth.example/token?service=s&scope=repository%3Aapp%3Apull',
      'GET https://registry.example/v2/app/manifests/1 Bearer t1',
    ]);
  });

  test('asks for the scope of the challenge when it knows none', async () => {
    const setup = setUp(tokenRegistry());
    await setup.authorizer.send(request('/v2/'), { scopes: [] });
    expect(setup.requests[1]?.url.searchParams.getAll('scope')).toEqual(['repository:placeholder:pull']);
  });

  test('authorises later requests at once, for any repository', async () => {
    const setup = setUp(tokenRegistry(), { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    await setup.authorizer.send(request(), PULL);
    await setup.authorizer.send(request('/v2/other/tags/list'), { scopes: [repositoryScope('other', ['pull'])] });
    expect(setup.log().slice(3)).toEqual([
      'GET https://registry.example/v2/app/manifests/1 Bearer t1',
      `GET https://auth.example/token?service=s&scope=repository%3Aother%3Apull&account=alice ${BASIC_ALICE}`,
      'GET https://registry.example/v2/other/tags/list Bearer t2',
    ]);
  });

  test('sends the password to the realm and never to the registry', async () => {
    const setup = setUp(tokenRegistry(), { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    expect(setup.requests.filter(({ url }) => url.origin === ORIGIN).map(({ headers }) => headers?.['authorization'])).toEqual([undefined, 'Bearer t1']);
  });

  test('looks credentials up once and gets one token, however many ask', async () => {
    const setup = setUp(tokenRegistry(), { credential: PASSWORD });
    const answers = await Promise.all(Array.from({ length: 8 }, () => setup.authorizer.send(request(), PULL)));
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(setup.lookups).toEqual(['registry.example']);
    expect(setup.requests.filter(({ url }) => url.origin !== ORIGIN).length).toBe(1);
  });

  test('sends a streamed body again after the challenge', async () => {
    const setup = setUp(tokenRegistry());
    const body = { content: bytesOf(new TextEncoder().encode('layer')), size: 5 };
    await setup.authorizer.send({ ...request('/v2/app/blobs/uploads/1', 'PUT'), body }, PUSH);
    const [, , last] = setup.requests;
    expect(last && (await textOf(last))).toBe('layer');
  });

  test('renews a token before it expires', async () => {
    const setup = setUp(tokenRegistry({ grants: (_request, count) => ({ status: 200, body: { token: `t${count}`, expires_in: 3 } }) }));
    await setup.authorizer.send(request(), PULL);
    setup.clock.advance(2500);
    await setup.authorizer.send(request(), PULL);
    expect(setup.log().at(-1)).toBe('GET https://registry.example/v2/app/manifests/1 Bearer t2');
  });

  test('gets another token once when the registry calls it invalid', async () => {
    const setup = setUp(tokenRegistry({ accepts: (token) => token === 't2' }));
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
  });

  test('gives up when the second token is invalid too', async () => {
    const setup = setUp(tokenRegistry({ accepts: () => false }), { credential: PASSWORD });
    const answer = await setup.authorizer.send(request(), PULL);
    expect(answer).toMatchObject({ status: 401, tried: { origin: '~/.docker/config.json', refused: false } });
    expect(await bodyOf(answer)).toContain('UNAUTHORIZED');
    expect(setup.requests.length).toBe(5);
  });

  test('renews a kept token that Harbor refuses with a Basic challenge', async () => {
    let revoked = '';
    const setup = setUp(tokenRegistry({ accepts: (token) => token !== revoked, refusal: (token) => (token === undefined ? BEARER : 'Basic realm="harbor"') }), {
      credential: PASSWORD,
    });
    await setup.authorizer.send(request(), PULL);
    revoked = 't1';
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
  });

  test('takes a Basic challenge to a new token for a refusal, not for another scheme', async () => {
    const setup = setUp(tokenRegistry({ accepts: () => false, refusal: (token) => (token === undefined ? BEARER : 'Basic realm="harbor"') }), {
      credential: PASSWORD,
    });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    expect(setup.log().filter((line) => line.includes(ORIGIN) && line.includes('Basic'))).toEqual([]);
  });

  test.each([401, 403])('asks for what is missing when the scope is insufficient (%d), and remembers it', async (status) => {
    const wider = `Bearer realm="${REALM}",service="s",scope="repository:app:delete,pull",error="insufficient_scope"`;
    const scopes: string[][] = [];
    const setup = setUp(({ url, headers }) => {
      if (url.origin !== ORIGIN) {
        scopes.push(url.searchParams.getAll('scope'));
        return { status: 200, body: { token: `t${scopes.length}` } };
      }
      const token = headers?.['authorization'];
      if (token === undefined) return challenge(BEARER);
      return token === 'Bearer t2' ? { status: 202 } : challenge(wider, status);
    });
    await setup.authorizer.send(request('/v2/app/manifests/1', 'DELETE'), PULL);
    expect(scopes).toEqual([['repository:app:pull'], ['repository:app:pull,delete']]);
    await setup.authorizer.send(request('/v2/app/manifests/2', 'DELETE'), PULL);
    expect(setup.log().at(-1)).toBe('DELETE https://registry.example/v2/app/manifests/2 Bearer t2');
  });

  test('ends when the scope stays insufficient', async () => {
    const setup = setUp(tokenRegistry({ accepts: () => false, refusal: () => `${BEARER},error="insufficient_scope"` }));
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    expect(setup.requests.length).toBeLessThan(8);
  });

  test('pings once for a challenge that a 401 does not carry', async () => {
    const setup = setUp(({ url, headers }) => {
      if (url.origin !== ORIGIN) return { status: 200, body: { token: 't' } };
      if (headers?.['authorization'] !== undefined) return { status: 200 };
      return url.pathname === '/v2/' ? challenge(BEARER) : challenge('');
    });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.log()[1]).toBe('GET https://registry.example/v2/');
  });

  test('gives a 401 without any challenge back', async () => {
    const setup = setUp(() => ({ status: 401 }), { credential: PASSWORD });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    await setup.authorizer.send(request(), PULL);
    expect(setup.log()).toEqual([`GET ${ORIGIN}/v2/app/manifests/1`, `GET ${ORIGIN}/v2/`, `GET ${ORIGIN}/v2/app/manifests/1`]);
  });

  test('says that it does not know the scheme', async () => {
    const setup = setUp(() => challenge('Digest realm="r", qop="auth"'));
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    expect(setup.notices).toEqual(['Cannot authenticate at "registry.example": expected a Basic challenge, or Bearer with a realm, found digest']);
  });

  test('goes to the realm of each repository where there are several (Artifactory)', async () => {
    const setup = setUp(({ url, headers }) => {
      if (url.origin !== ORIGIN) return { status: 200, body: { token: url.pathname.slice(1) } };
      const repository = url.pathname.split('/')[2] ?? '';
      return headers?.['authorization'] === `Bearer ${repository}`
        ? { status: 200 }
        : challenge(`Bearer realm="https://auth.example/${repository}",service="s"`);
    });
    const get = async (name: string): Promise<number> =>
      (await setup.authorizer.send(request(`/v2/${name}/tags/list`), { scopes: [repositoryScope(name, ['pull'])] })).status;
    expect([await get('a'), await get('b'), await get('a'), await get('b')]).toEqual([200, 200, 200, 200]);
    expect(setup.requests.length).toBe(3 + 4 + 1 + 1);
  });

  test('gives an error of the token service on', async () => {
    const setup = setUp(tokenRegistry({ grants: () => ({ status: 503 }) }));
    expect(await failure(setup.authorizer.send(request(), PULL))).toMatchObject({ code: 'SERVER_FAILED' });
  });
});

describe('send() with refused credentials', () => {
  const refusing = tokenRegistry({
    grants: ({ headers }) => (headers?.['authorization'] === undefined ? { status: 200, body: { token: 't' } } : { status: 401 }),
  });

  test('reads without them, and says so once', async () => {
    const setup = setUp(refusing, { credential: PASSWORD });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.notices).toEqual(['The credentials from ~/.docker/config.json were refused by "registry.example": trying without them']);
  });

  test('does not send them again', async () => {
    const setup = setUp(refusing, { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    await setup.authorizer.send(request('/v2/other/tags/list'), { scopes: [repositoryScope('other', ['pull'])], repository: 'other' });
    await failure(setup.authorizer.send(request('/v2/app/blobs/uploads/', 'POST'), PUSH));
    expect(setup.log().filter((line) => line.includes('Basic')).length).toBe(1);
  });

  test('does not write without them', async () => {
    const setup = setUp(refusing, { credential: PASSWORD });
    const error = await failure(setup.authorizer.send(request('/v2/app/blobs/uploads/', 'POST'), PUSH));
    expect(error).toBeInstanceOf(NotAuthorisedError);
    expect(error).toMatchObject({
      tried: { origin: '~/.docker/config.json', refused: true },
      hint: 'check user and password in ~/.docker/config.json, or type: regi login registry.example',
    });
    expect(setup.notices).toEqual([]);
  });

  test('does not read without them where the caller forbids it', async () => {
    const setup = setUp(refusing, { credential: PASSWORD });
    expect(await failure(setup.authorizer.send(request(), { ...PULL, canRetryAnonymously: false }))).toMatchObject({ code: 'NOT_AUTHORISED' });
  });

  test('names them when reading without them does not help either', async () => {
    const setup = setUp(tokenRegistry({ grants: () => ({ status: 401 }) }), { credential: PASSWORD });
    for (const _time of [1, 2]) {
      expect(await failure(setup.authorizer.send(request(), PULL))).toMatchObject({
        code: 'NOT_AUTHORISED',
        tried: { origin: '~/.docker/config.json', refused: true },
      });
    }
  });

  test('names them when the registry refuses the anonymous token', async () => {
    const setup = setUp(
      tokenRegistry({
        accepts: () => false,
        grants: ({ headers }) => (headers?.['authorization'] === undefined ? { status: 200, body: { token: 't' } } : { status: 401 }),
      }),
      {
        credential: PASSWORD,
      },
    );
    expect(await setup.authorizer.send(request(), PULL)).toMatchObject({ status: 401, tried: { refused: true } });
  });
});

describe('send() of a registry with Basic', () => {
  const basic = ({ headers, url }: HttpRequest): FakeAnswer =>
    headers?.['authorization'] === BASIC_ALICE ? { status: url.pathname.includes('secret') ? 403 : 200 } : challenge('Basic realm="basic-realm"');

  test('sends the password only after a Basic challenge, then at once', async () => {
    const setup = setUp(basic, { credential: PASSWORD });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect((await setup.authorizer.send(request('/v2/b/tags/list'), { scopes: [repositoryScope('b', ['pull'])] })).status).toBe(200);
    expect(setup.requests.map(({ headers }) => headers?.['authorization'])).toEqual([undefined, BASIC_ALICE, BASIC_ALICE]);
  });

  test('gives the 401 back without asking twice when there are no credentials', async () => {
    const setup = setUp(basic);
    expect(await setup.authorizer.send(request(), PULL)).toMatchObject({ status: 401, tried: undefined });
    expect(setup.requests.length).toBe(1);
  });

  test('sends refused credentials once, and reads no more than the registry showed it', async () => {
    const setup = setUp(() => challenge('Basic realm="r"'), { credential: PASSWORD });
    expect(await setup.authorizer.send(request(), PULL)).toMatchObject({ status: 401, tried: { origin: '~/.docker/config.json', refused: true } });
    expect(setup.requests.length).toBe(2);
    await setup.authorizer.send(request(), PULL);
    expect(setup.requests.filter(({ headers }) => headers?.['authorization'] !== undefined).length).toBe(1);
  });

  test('does not take credentials that worked before for refused everywhere', async () => {
    let strict = false;
    const setup = setUp((asked) => (strict ? challenge('Basic realm="r"') : basic(asked)), { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    strict = true;
    expect(await setup.authorizer.send(request('/v2/app/blobs/uploads/', 'POST'), PUSH)).toMatchObject({ status: 401, tried: { refused: false } });
    strict = false;
    expect((await setup.authorizer.send(request('/v2/app/blobs/uploads/', 'POST'), PUSH)).status).toBe(200);
  });

  test('gives a 403 back with what was tried', async () => {
    const setup = setUp(basic, { credential: PASSWORD });
    expect(await setup.authorizer.send(request('/v2/secret/tags/list'), PULL)).toMatchObject({
      status: 403,
      tried: { origin: '~/.docker/config.json', refused: false },
    });
  });

  test('keeps tokens for repositories where only the catalog wants Basic (Harbor)', async () => {
    const setup = setUp(
      ({ url, headers }) => {
        if (url.origin !== ORIGIN) return { status: 200, body: { token: 't' } };
        if (url.pathname === '/v2/_catalog') return headers?.['authorization'] === BASIC_ALICE ? { status: 200 } : challenge('Basic realm="harbor"');
        return headers?.['authorization'] === 'Bearer t' ? { status: 200 } : challenge(BEARER);
      },
      { credential: PASSWORD },
    );
    const catalog: AuthorizeOptions = { scopes: [CATALOG_SCOPE] };
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
    expect(setup.notices).toEqual(['Credentials for "registry.example" go over plain http: everyone on the way can read them']);
  });

  test('does not warn of plain http within this machine', async () => {
    const setup = setUp(basic, { credential: PASSWORD, origin: 'http://127.0.0.1:5000' });
    await setup.authorizer.send(request('/v2/', 'GET', 'http://127.0.0.1:5000'), PULL);
    expect(setup.notices).toEqual([]);
  });
});

describe('send() with a registry token', () => {
  const credential: Credential = { kind: 'registry-token', token: 'BEARER' };

  test('shows it to the registry as it is, and to no realm', async () => {
    const setup = setUp(tokenRegistry({ accepts: (token) => token === 'BEARER' }), { credential });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.log()).toEqual([`GET ${ORIGIN}/v2/app/manifests/1`, `GET ${ORIGIN}/v2/app/manifests/1 Bearer BEARER`]);
  });

  test('reads anonymously when it is refused', async () => {
    const setup = setUp(tokenRegistry({ accepts: (token) => token === 't1' }), { credential });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.notices.length).toBe(1);
  });

  test('refuses one that would break the header', async () => {
    const setup = setUp(tokenRegistry(), { credential: { kind: 'registry-token', token: 'a\r\nX: b' } });
    expect(await failure(setup.authorizer.send(request(), PULL))).toMatchObject({ code: 'NOT_AUTHORISED' });
  });
});

describe('send() sends no secret to', () => {
  const challengers = [BEARER, 'Basic realm="x"', `Bearer realm="${ORIGIN}/token"`];

  test.each(['https://storage.example', 'http://registry.example', 'https://registry.example:8443', 'https://cdn.registry.example'])(
    'another origin: %s',
    async (origin) => {
      for (const header of challengers) {
        const setup = setUp((asked) => (asked.url.origin === origin ? challenge(header) : tokenRegistry()(asked)), { credential: PASSWORD });
        await setup.authorizer.send(request(), PULL);
        const before = setup.requests.length;
        const foreign = request('/blob?sig=1', 'GET', origin);
        expect((await setup.authorizer.send(foreign, PULL)).status).toBe(401);
        expect(setup.requests.slice(before)).toEqual([foreign]);
      }
    },
  );

  test('a realm that a redirect target named', async () => {
    const setup = setUp(() => ({ ...challenge(BEARER), url: new URL('https://evil.example/v2/') }), { credential: PASSWORD });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    expect(setup.requests.length).toBe(1);
    expect(setup.lookups).toEqual([]);
  });

  test.each(['http://auth.example/token', 'https://169.254.169.254/token', 'https://localhost/token', 'https://[::1]/token'])(
    'the realm %s of a public registry',
    async (realm) => {
      const setup = setUp(() => challenge(`Bearer realm="${realm}"`), { credential: PASSWORD });
      expect(await failure(setup.authorizer.send(request(), PULL))).toBeInstanceOf(UnsafeRealmError);
      expect(setup.requests.length).toBe(1);
      expect(setup.lookups).toEqual([]);
    },
  );

  test('a private address that the name of a realm leads to', async () => {
    const setup = setUp(tokenRegistry(), { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    expect(setup.requests[1]?.reach).toBe('public');
  });

  test('the user info of a realm', async () => {
    const setup = setUp(
      (asked) => (asked.url.origin === ORIGIN ? challenge('Bearer realm="https://eve:pw@auth.example/token"') : { status: 200, body: { token: 't' } }),
      { credential: PASSWORD },
    );
    await setup.authorizer.send(request(), PULL);
    expect(setup.requests[1]?.url.username).toBe('');
  });
});

describe('send()', () => {
  test('ends after a few requests, whatever the registry answers', async () => {
    const header = fc.constantFrom(
      BEARER,
      `${BEARER},error="invalid_token"`,
      `${BEARER},error="insufficient_scope"`,
      'Basic realm="x"',
      '',
      'Digest realm="x"',
      `Bearer realm="${ORIGIN}/token2"`,
    );
    const answer = fc.record({ status: fc.constantFrom(200, 401, 403), header, body: fc.constantFrom('', '{"token":"t"}') });
    const credential = fc.constantFrom<Credential | undefined>(
      undefined,
      PASSWORD,
      { kind: 'identity-token', token: 'r' },
      { kind: 'registry-token', token: 'b' },
    );
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(answer), credential, fc.constantFrom<Method>('GET', 'PUT'), async (answers, chosen, method) => {
        const setup = setUp(
          () => {
            const { status, header: value, body } = answers.next().value;
            return { status, headers: { 'www-authenticate': value }, body };
          },
          { credential: chosen },
        );
        await failure(setup.authorizer.send(request('/v2/app/manifests/1', method), PULL));
        expect(setup.requests.length).toBeLessThan(20);
      }),
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
              (asked) => (asked.url.origin === ORIGIN ? challenge(`${BEARER.replace(REALM, `${REALM}?key=${token}`)},error="${token}"`) : echo),
              { credential },
            );
            const error = await failure(setup.authorizer.send(request('/v2/app/manifests/1', method), PULL));
            const shown = [String(error), error instanceof NotAuthorisedError ? error.hint : '', ...setup.notices].join('\n');
            expect(shown).not.toContain(password);
            expect(shown).not.toContain(token);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('passes the abort on, also while it waits for a token', async () => {
    const controller = new AbortController();
    const setup = setUp(({ url }) => {
      if (url.origin === ORIGIN) return challenge(BEARER);
      controller.abort(new Error('interrupted'));
      return { status: 200, body: { token: 't' } };
    });
    await expect(setup.authorizer.send({ ...request(), signal: controller.signal }, PULL)).rejects.toThrow('interrupted');
  });

  test('gives on why credentials cannot be looked up', async () => {
    const setup = setUp(tokenRegistry(), { credentials: () => Promise.reject(new Error('keychain locked')) });
    await expect(setup.authorizer.send(request(), PULL)).rejects.toThrow('keychain locked');
  });
});

async function bodyOf(answer: AuthorizedResponse): Promise<string> {
  let text = '';
  for await (const chunk of answer.body) text += new TextDecoder().decode(chunk);
  return text;
}
