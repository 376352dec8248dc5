import { dirname } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { regiAtHome } from '../../support/cli/home.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { makeCertificates, type Certificates } from '../../support/http/certificates.ts';
import { startSocksProxy, type SocksProxy } from '../../support/http/socks-proxy.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';
import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { runOrThrow } from '../../support/programs/run-program.ts';
import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const LOGIN = 'somebody:proxy canary@1';

describeReal('B17: a SOCKS proxy', ['skopeo', 'docker-registry', 'openssl'], () => {
  let certificates: Certificates;
  let registry: DockerRegistry;
  let proxy: SocksProxy;
  let name: string;
  let url: string;

  beforeAll(async () => {
    certificates = makeCertificates({ hosts: ['registry.test'] });
    registry = await startDockerRegistry({ tls: certificates });
    const port = Number(new URL(`https://${registry.host}`).port);
    name = `registry.test:${port}`;
    proxy = await startSocksProxy({ login: LOGIN, port });
    url = `socks5://somebody:${encodeURIComponent('proxy canary@1')}@${proxy.host}`;
  });

  test('the proxy of these tests serves skopeo', async () => {
    const home = temporaryFolder('home');
    const to = `docker://${name}/skopeo:1`;
    await runOrThrow(
      requireTool('skopeo'),
      [
        '--insecure-policy',
        'copy',
        '--dest-cert-dir',
        dirname(certificates.caPath),
        tinyLayout(),
        to,
      ],
      { env: { HOME: home, HTTPS_PROXY: url } },
    );
    expect(proxy.requests).toContain(name);
  });

  test.each(['socks5', 'socks5h'])(
    'regi copies through %s:// in ALL_PROXY, and shows no password',
    async (scheme) => {
      const before = proxy.requests.length;
      const copied = await regiAtHome(
        ['-vv', 'copy', '--ca-file', certificates.caPath, tinyLayout(), `${name}/regi:${scheme}`],
        { env: { ALL_PROXY: url.replace('socks5', scheme) } },
      );
      expect(copied).toMatchObject({ status: 0 });
      expect(copied.stdout + copied.stderr).not.toContain('canary');
      expect(new Set(proxy.requests.slice(before))).toEqual(new Set([name]));
    },
  );

  test('the built regi uses it, too', async () => {
    const before = proxy.requests.length;
    const { status, stderr } = await runRegi(
      ['copy', '--ca-file', certificates.caPath, tinyLayout(), `${name}/built:1`],
      { env: { ALL_PROXY: url } },
    );
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(proxy.requests.length).toBeGreaterThan(before);
  });

  test('regi doctor names the proxy and its variable', async () => {
    const { status, stdout } = await regiAtHome(
      ['doctor', '--ca-file', certificates.caPath, name],
      { env: { ALL_PROXY: url } },
    );
    expect(status).toBe(0);
    expect(stdout).toContain(
      `connections go through socks5://${proxy.host} (ALL_PROXY), with user and password`,
    );
    expect(stdout).not.toContain('canary');
  });
});
