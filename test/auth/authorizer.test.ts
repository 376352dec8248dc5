import { describe, expect, test } from 'vitest';
import { NotAuthorisedError } from '../../src/auth/not-authorised.ts';
import { repositoryScope } from '../../src/auth/scope.ts';
import { bytesOf } from '../../src/bytes.ts';
import { textOf } from '../support/http/fake-transport.ts';
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
  bodyOf,
} from '../support/http/authorizer.ts';

describe('send() to an open registry', () => {
  test('adds no header and looks up no credentials without a challenge', async () => {
    const setup = setUp(() => ({ status: 200 }), { credential: PASSWORD });
    const sent = request();
    expect((await setup.authorizer.send(sent, PULL)).status).toBe(200);
    expect(setup.requests).toEqual([sent]);
    expect(setup.lookups).toEqual([]);
  });

  test.each([404, 500, 429])('returns a %d', async (status) => {
    const setup = setUp(() => ({ status, headers: { 'www-authenticate': BEARER } }));
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(status);
    expect(setup.requests.length).toBe(1);
  });

  test('pings for a challenge after a bare 403, and returns the 403 without one', async () => {
    const setup = setUp(
      ({ url }) => (url.pathname === '/v2/' ? { status: 200 } : { status: 403, body: 'no' }),
      { credential: PASSWORD },
    );
    const answer = await setup.authorizer.send(request(), PULL);
    expect(answer.status).toBe(403);
    expect(await bodyOf(answer)).toBe('no');
    expect(setup.lookups).toEqual([]);
  });
});

describe('send() to a registry with tokens', () => {
  test("fetches an anonymous token for its own scope, not the challenge's", async () => {
    const setup = setUp(tokenRegistry());
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.log()).toEqual([
      'GET https://registry.example/v2/app/manifests/1',
      'GET https://auth.example/token?service=s&scope=repository%3Aapp%3Apull',
      'GET https://registry.example/v2/app/manifests/1 Bearer t1',
    ]);
  });

  test('requests the scope of the challenge without one of its own', async () => {
    const setup = setUp(tokenRegistry());
    await setup.authorizer.send(request('/v2/'), { scopes: [] });
    expect(setup.requests[1]?.url.searchParams.getAll('scope')).toEqual([
      'repository:placeholder:pull',
    ]);
  });

  test('authorises later requests to any repository without a challenge', async () => {
    const setup = setUp(tokenRegistry(), { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    await setup.authorizer.send(request(), PULL);
    await setup.authorizer.send(request('/v2/other/tags/list'), {
      scopes: [repositoryScope('other', ['pull'])],
    });
    expect(setup.log().slice(3)).toEqual([
      'GET https://registry.example/v2/app/manifests/1 Bearer t1',
      `GET https://auth.example/token?service=s&scope=repository%3Aother%3Apull&account=alice ${BASIC_ALICE}`,
      'GET https://registry.example/v2/other/tags/list Bearer t2',
    ]);
  });

  test('sends the password to the realm and never to the registry', async () => {
    const setup = setUp(tokenRegistry(), { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    expect(
      setup.requests
        .filter(({ url }) => url.origin === ORIGIN)
        .map(({ headers }) => headers?.['authorization']),
    ).toEqual([undefined, 'Bearer t1']);
  });

  test('looks up credentials once and fetches one token for parallel requests', async () => {
    const setup = setUp(tokenRegistry(), { credential: PASSWORD });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => setup.authorizer.send(request(), PULL)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(setup.lookups).toEqual(['registry.example']);
    expect(setup.requests.filter(({ url }) => url.origin !== ORIGIN).length).toBe(1);
  });

  test('sends a streamed body again after a challenge', async () => {
    const setup = setUp(tokenRegistry());
    const body = { content: bytesOf(new TextEncoder().encode('layer')), size: 5 };
    await setup.authorizer.send({ ...request('/v2/app/blobs/uploads/1', 'PUT'), body }, PUSH);
    const [, , last] = setup.requests;
    expect(last && (await textOf(last))).toBe('layer');
  });

  test('renews a token before it expires', async () => {
    const setup = setUp(
      tokenRegistry({
        grants: (_request, count) => ({ status: 200, body: { token: `t${count}`, expires_in: 3 } }),
      }),
    );
    await setup.authorizer.send(request(), PULL);
    setup.clock.advance(2500);
    await setup.authorizer.send(request(), PULL);
    expect(setup.log().at(-1)).toBe('GET https://registry.example/v2/app/manifests/1 Bearer t2');
  });

  test('fetches another token once when the registry calls it invalid', async () => {
    const setup = setUp(tokenRegistry({ accepts: (token) => token === 't2' }));
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
  });

  test('gives up when the second token is invalid too', async () => {
    const setup = setUp(tokenRegistry({ accepts: () => false }), { credential: PASSWORD });
    const answer = await setup.authorizer.send(request(), PULL);
    expect(answer).toMatchObject({
      status: 401,
      tried: { origin: '~/.docker/config.json', refused: false },
    });
    expect(await bodyOf(answer)).toContain('UNAUTHORIZED');
    expect(setup.requests.length).toBe(5);
  });

  test('renews a kept token that Harbor refuses with a Basic challenge', async () => {
    let revoked = '';
    const setup = setUp(
      tokenRegistry({
        accepts: (token) => token !== revoked,
        refusal: (token) => (token === undefined ? BEARER : 'Basic realm="harbor"'),
      }),
      {
        credential: PASSWORD,
      },
    );
    await setup.authorizer.send(request(), PULL);
    revoked = 't1';
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
  });

  test('treats a Basic challenge to a new token as a refusal, not as another scheme', async () => {
    const setup = setUp(
      tokenRegistry({
        accepts: () => false,
        refusal: (token) => (token === undefined ? BEARER : 'Basic realm="harbor"'),
      }),
      {
        credential: PASSWORD,
      },
    );
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    expect(setup.log().filter((line) => line.includes(ORIGIN) && line.includes('Basic'))).toEqual(
      [],
    );
  });

  test.each([401, 403])(
    'asks for what is missing when the scope is insufficient (%d), and remembers it',
    async (status) => {
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
      expect(setup.log().at(-1)).toBe(
        'DELETE https://registry.example/v2/app/manifests/2 Bearer t2',
      );
    },
  );

  test.each(['repository:app:delete', 'repository:app:pull repository:upstream:pull'])(
    'B9: asks once for the scope %s of a second 401 that has no error',
    async (scope) => {
      const scopes: string[][] = [];
      const setup = setUp(({ url, headers }) => {
        if (url.origin !== ORIGIN) {
          scopes.push(url.searchParams.getAll('scope'));
          return { status: 200, body: { token: `t${scopes.length}` } };
        }
        if (headers?.['authorization'] === 'Bearer t2') return { status: 202 };
        return challenge(`Bearer realm="${REALM}",service="s",scope="${scope}"`);
      });
      const { status } = await setup.authorizer.send(
        request('/v2/app/manifests/1', 'DELETE'),
        PULL,
      );
      expect([status, scopes.length]).toEqual([202, 2]);
      expect(scopes[1]?.join(' ')).toContain(scope.split(':').at(-1));
    },
  );

  test('B9: returns the 401, and widens nothing, when the token service refuses that scope', async () => {
    const setup = setUp(({ url, headers, method }) => {
      if (url.origin !== ORIGIN)
        return url.search.includes('delete')
          ? { status: 403 }
          : { status: 200, body: { token: 't' } };
      if (method !== 'DELETE' && headers?.['authorization'] === 'Bearer t') return { status: 200 };
      return challenge(`Bearer realm="${REALM}",service="s",scope="repository:app:delete"`);
    });
    const deleting = setup.authorizer.send(request('/v2/app/manifests/1', 'DELETE'), PULL);
    expect((await deleting).status).toBe(401);
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
  });

  test('ends when the scope stays insufficient', async () => {
    const setup = setUp(
      tokenRegistry({
        accepts: () => false,
        refusal: () => `${BEARER},error="insufficient_scope"`,
      }),
    );
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    expect(setup.requests.length).toBeLessThan(8);
  });

  test('pings once after a 401 without a challenge', async () => {
    const setup = setUp(({ url, headers }) => {
      if (url.origin !== ORIGIN) return { status: 200, body: { token: 't' } };
      if (headers?.['authorization'] !== undefined) return { status: 200 };
      return url.pathname === '/v2/' ? challenge(BEARER) : challenge('');
    });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.log()[1]).toBe('GET https://registry.example/v2/');
  });

  test('returns a 401 when no challenge is found', async () => {
    const setup = setUp(() => ({ status: 401 }), { credential: PASSWORD });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(401);
    await setup.authorizer.send(request(), PULL);
    expect(setup.log()).toEqual([
      `GET ${ORIGIN}/v2/app/manifests/1`,
      `GET ${ORIGIN}/v2/`,
      `GET ${ORIGIN}/v2/app/manifests/1`,
    ]);
  });

  test('uses the realm of each repository (Artifactory)', async () => {
    const setup = setUp(({ url, headers }) => {
      if (url.origin !== ORIGIN) return { status: 200, body: { token: url.pathname.slice(1) } };
      const repository = url.pathname.split('/')[2] ?? '';
      return headers?.['authorization'] === `Bearer ${repository}`
        ? { status: 200 }
        : challenge(`Bearer realm="https://auth.example/${repository}",service="s"`);
    });
    const get = async (name: string): Promise<number> =>
      (
        await setup.authorizer.send(request(`/v2/${name}/tags/list`), {
          scopes: [repositoryScope(name, ['pull'])],
        })
      ).status;
    expect([await get('a'), await get('b'), await get('a'), await get('b')]).toEqual([
      200, 200, 200, 200,
    ]);
    expect(setup.requests.length).toBe(3 + 4 + 1 + 1);
  });

  test('throws the error of the token service', async () => {
    const setup = setUp(tokenRegistry({ grants: () => ({ status: 503 }) }));
    expect(await failure(setup.authorizer.send(request(), PULL))).toMatchObject({
      code: 'SERVER_FAILED',
    });
  });
});

describe('send() with refused credentials', () => {
  const refusing = tokenRegistry({
    grants: ({ headers }) =>
      headers?.['authorization'] === undefined
        ? { status: 200, body: { token: 't' } }
        : { status: 401 },
  });

  test('reads without them, and reports that once', async () => {
    const setup = setUp(refusing, { credential: PASSWORD });
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect((await setup.authorizer.send(request(), PULL)).status).toBe(200);
    expect(setup.notices).toEqual([
      'The credentials from ~/.docker/config.json were refused by "registry.example": trying without them',
    ]);
  });

  test('does not send them again', async () => {
    const setup = setUp(refusing, { credential: PASSWORD });
    await setup.authorizer.send(request(), PULL);
    await setup.authorizer.send(request('/v2/other/tags/list'), {
      scopes: [repositoryScope('other', ['pull'])],
      repository: 'other',
    });
    await failure(setup.authorizer.send(request('/v2/app/blobs/uploads/', 'POST'), PUSH));
    expect(setup.log().filter((line) => line.includes('Basic')).length).toBe(1);
  });

  test('does not write without them', async () => {
    const setup = setUp(refusing, { credential: PASSWORD });
    const error = await failure(
      setup.authorizer.send(request('/v2/app/blobs/uploads/', 'POST'), PUSH),
    );
    expect(error).toBeInstanceOf(NotAuthorisedError);
    expect(error).toMatchObject({
      tried: { origin: '~/.docker/config.json', refused: true },
      hint: 'check user and password in ~/.docker/config.json, or type: regi login registry.example',
    });
    expect(setup.notices).toEqual([]);
  });

  test('does not read without them when the caller forbids it', async () => {
    const setup = setUp(refusing, { credential: PASSWORD });
    expect(
      await failure(setup.authorizer.send(request(), { ...PULL, canRetryAnonymously: false })),
    ).toMatchObject({ code: 'NOT_AUTHORISED' });
  });

  test('names them when reading without them does not help either', async () => {
    const setup = setUp(tokenRegistry({ grants: () => ({ status: 401 }) }), {
      credential: PASSWORD,
    });
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
        grants: ({ headers }) =>
          headers?.['authorization'] === undefined
            ? { status: 200, body: { token: 't' } }
            : { status: 401 },
      }),
      {
        credential: PASSWORD,
      },
    );
    expect(await setup.authorizer.send(request(), PULL)).toMatchObject({
      status: 401,
      tried: { refused: true },
    });
  });
});
