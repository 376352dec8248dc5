import { beforeAll, expect, test } from 'vitest';

import { makeCertificates, type Certificates } from '../../support/http/certificates.ts';
import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { regiAtHome } from '../../support/cli/home.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { startSquid, type Squid } from '../../support/programs/squid.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

const NAME = 'registry.test';
const LOGIN = { user: 'somebody', password: 'proxy canary@1' };

describeReal('regi behind squid', ['squid', 'docker-registry', 'openssl'], () => {
  let certificates: Certificates;
  let secure: DockerRegistry;
  let plain: DockerRegistry;
  let squid: Squid;
  let env: Record<string, string>;

  beforeAll(async () => {
    certificates = makeCertificates({ hosts: [NAME] });
    secure = await startDockerRegistry({
      tls: certificates,
      htpasswd: { user: 'ci', password: 'registry canary' },
    });
    plain = await startDockerRegistry();
    squid = await startSquid({ names: [NAME], login: LOGIN });
    const proxy = `http://${LOGIN.user}:${encodeURIComponent(LOGIN.password)}@127.0.0.1:${squid.port}`;
    env = { HTTPS_PROXY: proxy, HTTP_PROXY: proxy };
  });

  function named({ host }: DockerRegistry): string {
    return host.replace('127.0.0.1', NAME);
  }

  test('copies to a registry over https through a tunnel, and shows neither password', async () => {
    const login = {
      REGI_REGISTRY: named(secure),
      REGI_USERNAME: 'ci',
      REGI_PASSWORD: 'registry canary',
    };
    const copied = await regiAtHome(
      ['-vv', 'copy', '--ca-file', certificates.caPath, tinyLayout(), `${named(secure)}/app:1`],
      { env: { ...env, ...login } },
    );
    expect(copied).toMatchObject({ status: 0 });
    await expect.poll(() => squid.requests()).toContain(`CONNECT ${named(secure)} 200`);
    expect(copied.stderr).not.toContain('canary');
    expect(copied.stderr).not.toContain(
      Buffer.from(`${LOGIN.user}:${LOGIN.password}`).toString('base64'),
    );
    expect(
      await regiAtHome(['digest', '--ca-file', certificates.caPath, `${named(secure)}/app:1`], {
        env: { ...env, ...login },
      }),
    ).toMatchObject({
      status: 0,
    });
  });

  test('copies to a registry over plain http', async () => {
    const args = ['--plain-http', named(plain)];
    expect(
      await regiAtHome(['copy', ...args, tinyLayout(), `${named(plain)}/app:1`], { env }),
    ).toMatchObject({ status: 0 });
    expect(await regiAtHome(['digest', ...args, `${named(plain)}/app:1`], { env })).toMatchObject({
      status: 0,
    });
    await expect
      .poll(() => squid.requests())
      .toContain(`HEAD http://${named(plain)}/v2/app/manifests/1 200`);
  });

  test('bypasses the proxy for a host in NO_PROXY', async () => {
    const args = ['--plain-http', named(plain)];
    const around = { ...env, NO_PROXY: '.test' };
    expect(
      await regiAtHome(['copy', ...args, tinyLayout(), `${named(plain)}/direct:1`], {
        env: around,
      }),
    ).toMatchObject({ status: 0 });
    // One request that does pass through it: whatever passed before stands above it in the log.
    expect(
      await regiAtHome(['digest', ...args, `${named(plain)}/direct:1`], { env }),
    ).toMatchObject({ status: 0 });
    const through = `HEAD http://${named(plain)}/v2/direct/manifests/1 200`;
    await expect.poll(() => squid.requests()).toContain(through);
    expect(squid.requests().filter((line) => line.includes('/direct/'))).toEqual([through]);
  });

  test('finds plain http of an insecure registry through a proxy', async () => {
    expect(
      await regiAtHome(
        ['copy', '--insecure-registry', NAME, tinyLayout(), `${named(plain)}/loose:1`],
        { env },
      ),
    ).toMatchObject({ status: 0 });
  });

  test.each(['https', 'http'])(
    'reports that the proxy refuses the password, over %s',
    async (scheme) => {
      const proxy = `http://${LOGIN.user}:wrong-canary@127.0.0.1:${squid.port}`;
      const name = named(scheme === 'http' ? plain : secure);
      const args = scheme === 'http' ? ['--plain-http', name] : ['--ca-file', certificates.caPath];
      const refused = await regiAtHome(['-vv', 'digest', ...args, `${name}/app:1`], {
        env: { HTTPS_PROXY: proxy, HTTP_PROXY: proxy },
      });
      expect(refused.status).toBe(5);
      expect(refused.stderr).toContain(
        `through the proxy "127.0.0.1:${squid.port}": it needs a login, or another one`,
      );
      expect(refused.stderr).not.toContain('canary');
    },
  );
});
