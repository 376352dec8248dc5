import { beforeAll, beforeEach, expect, test } from 'vitest';

import {
  type DockerRegistry,
  startDockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';
import { startTokenServer, type TokenServer } from '../../support/registries/token-server.ts';

const PULL = 'repository:team/app:pull';

describeReal('startTokenServer()', ['docker-registry', 'skopeo', 'openssl'], () => {
  let server: TokenServer;
  let registry: DockerRegistry;

  beforeAll(async () => {
    server = await startTokenServer({
      users: {
        alice: { password: 'a secret', rights: { 'team/*': ['pull', 'push'] } },
        bob: { password: 'b secret', rights: { 'team/app': ['pull'] } },
      },
      anonymous: { 'public/*': ['pull'] },
      refreshTokens: true,
    });
    registry = await startDockerRegistry({ token: server.auth });
    await skopeo.copy(tinyLayout(), `docker://${registry.host}/team/app:1`, {
      to: { creds: 'alice:a secret' },
    });
  });

  beforeEach(() => server.forgetRequests());

  const get = (query: Readonly<Record<string, string>>, credentials?: string): Promise<Response> =>
    fetch(
      `${server.auth.realm}?${new URLSearchParams({ service: server.auth.service, ...query }).toString()}`,
      {
        headers: credentials === undefined ? {} : { authorization: `Basic ${btoa(credentials)}` },
      },
    );
  const post = (form: Readonly<Record<string, string>>): Promise<Response> =>
    fetch(server.auth.realm, {
      method: 'POST',
      body: new URLSearchParams({ service: server.auth.service, client_id: 'test', ...form }),
    });
  const pull = async (token: string): Promise<number> => {
    const headers = {
      authorization: `Bearer ${token}`,
      accept: 'application/vnd.oci.image.manifest.v1+json',
    };
    return (await fetch(`${registry.url}/v2/team/app/manifests/1`, { headers })).status;
  };

  test('is named in the challenge of the registry', async () => {
    const challenge = (await fetch(`${registry.url}/v2/team/app/tags/list`)).headers.get(
      'www-authenticate',
    );
    expect(challenge).toBe(
      `Bearer realm="${server.auth.realm}",service="${server.auth.service}",scope="${PULL}"`,
    );
  });

  test('grants a user a token that the registry accepts', async () => {
    const answer = await json(await get({ scope: PULL }, 'bob:b secret'));
    expect(answer).toMatchObject({ expires_in: 300 });
    expect(await pull(answer['token'] ?? '')).toBe(200);
    expect(server.requests).toMatchObject([
      {
        method: 'GET',
        grant: 'password',
        user: 'bob',
        scopes: [PULL],
        granted: [PULL],
        status: 200,
      },
    ]);
  });

  test('gives an OAuth2 client a token and a refresh token that is good for the next one', async () => {
    const first = await json(
      await post({
        grant_type: 'password',
        username: 'bob',
        password: 'b secret',
        scope: PULL,
        access_type: 'offline',
      }),
    );
    const second = await json(
      await post({
        grant_type: 'refresh_token',
        refresh_token: first['refresh_token'] ?? '',
        scope: PULL,
      }),
    );
    expect(await pull(second['access_token'] ?? '')).toBe(200);
  });

  test('refuses a wrong password, and an unknown refresh token', async () => {
    expect((await get({ scope: PULL }, 'bob:a secret')).status).toBe(401);
    expect(
      (await post({ grant_type: 'refresh_token', refresh_token: 'another', scope: PULL })).status,
    ).toBe(401);
  });

  test('grants a user only the configured rights', async () => {
    await get({ scope: 'repository:team/app:pull,push' }, 'bob:b secret');
    await get({ scope: 'repository:public/app:pull,push' });
    expect(server.requests.map(({ granted }) => granted)).toEqual([
      [PULL],
      ['repository:public/app:pull'],
    ]);
  });

  test('signs a token that the registry accepts until 60 s after its expiry', async () => {
    expect(await pull(await server.token([PULL], -50))).toBe(200);
    expect(await pull(await server.token([PULL], -61))).toBe(401);
  });

  test('lets skopeo pull as a user, and denies it to push', async () => {
    const place = `docker://${registry.host}/team/app:1`;
    expect((await skopeo.inspect(place, { creds: 'bob:b secret' })).Layers).toHaveLength(1);
    await expect(
      skopeo.copy(tinyLayout(), place, { to: { creds: 'bob:b secret' } }),
    ).rejects.toThrow('denied');
  });

  test('lets skopeo pull a public image without a login', async () => {
    const open = await startTokenServer({ anonymous: { 'public/*': ['pull', 'push'] } });
    const { host } = await startDockerRegistry({ token: open.auth });
    await skopeo.copy(tinyLayout(), `docker://${host}/public/app:1`);
    expect(await skopeo.listTags(`docker://${host}/public/app`)).toEqual(['1']);
    await expect(skopeo.inspect(`docker://${host}/team/app:1`)).rejects.toThrow('denied');
  });
});

async function json(response: Response): Promise<Readonly<Record<string, string>>> {
  return (await response.json()) as Record<string, string>;
}
