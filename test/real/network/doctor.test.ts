import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { makeCertificates, makeSigningCertificate } from '../../support/http/certificates.ts';
import { freePort } from '../../support/programs/daemon.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { homeWith, regiAtHome } from '../../support/cli/home.ts';
import { startNginx } from '../../support/programs/nginx.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

const NAME = 'registry.test';
const ENV = { LANG: 'C.UTF-8' };

function doctor(args: readonly string[], home?: string) {
  return regiAtHome(['doctor', ...args], { home, env: ENV });
}

describeReal(
  'regi doctor and a real docker-registry',
  ['docker-registry', 'nginx', 'openssl'],
  () => {
    let upstream = '';

    beforeAll(async () => {
      upstream = (await startDockerRegistry({ delete: true })).host;
      expect(await regiAtHome(['copy', tinyLayout(), `${upstream}/app:1`])).toMatchObject({
        status: 0,
      });
    });

    test('finds no problem, and lists what the registry supports', async () => {
      const { status, stdout, stderr } = await doctor(['--push', `${upstream}/app`]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).not.toContain('✘');
      for (const step of ['tcp', 'api', 'repository', 'catalog', 'delete', 'push', 'mount'])
        expect(stdout).toMatch(new RegExp(`^✔ ${step} `, 'm'));
      expect(stdout).toMatch(/^– referrers .* not supported/m);
    });

    test('learns that deletion is switched off', async () => {
      const { host } = await startDockerRegistry();
      await regiAtHome(['copy', tinyLayout(), `${host}/app:1`]);
      expect((await doctor([`${host}/app`])).stdout).toMatch(
        /^– delete .* not supported, or disabled \(status 405\)$/m,
      );
    });

    test('leaves no trace without --push', async () => {
      const registry = await startDockerRegistry({ delete: true });
      await doctor([`${registry.host}/never/heard/of`]);
      expect(
        (await registry.requests())
          .map(({ method }) => method)
          .filter((method) => method === 'POST' || method === 'PUT'),
      ).toEqual([]);
      expect(await regiAtHome(['repos', 'list', registry.host])).toMatchObject({ stdout: '' });
    });

    test('names the credentials that an htpasswd registry refused, and exits 4', async () => {
      const { host } = await startDockerRegistry({ htpasswd: { user: 'ci', password: 'right' } });
      const config = (password: string) =>
        homeWith({
          '.docker/config.json': JSON.stringify({
            auths: { [host]: { auth: Buffer.from(`ci:${password}`).toString('base64') } },
          }),
        });
      const wrong = await doctor([host], config('wrong'));
      expect(wrong.status).toBe(4);
      expect(wrong.stdout).toMatch(
        /^✘ login .* the credentials from ~\/\.docker\/config\.json were refused \(status 401\)$/m,
      );
      expect(await doctor([host], config('right'))).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^✔ login .* user "ci" is accepted$/m),
      });
    });

    test.each([
      [
        'signed by an unknown authority',
        makeTls({}),
        'signed by an authority that this machine does not know',
        'regi test server < regi test CA (unknown here)',
      ],
      [
        'signed by itself',
        makeSelfSigned(),
        'its certificate is signed by itself',
        'regi test token server',
      ],
      [
        'expired',
        makeTls({ expired: true, trusted: true }),
        'its certificate has expired',
        'until 20',
      ],
      [
        'for another name',
        makeTls({ hosts: ['other.test'], trusted: true }),
        'its certificate is for another name (it is for "other.test")',
        'TLSv1.',
      ],
    ] as const)(
      'reports that the certificate of nginx is %s, and shows it',
      async (_name, { flags, ...tls }, problem, shown) => {
        const { port } = await startNginx({ upstream, tls });
        const { status, stdout } = await doctor([...flags, `${NAME}:${port}`]);
        expect(status).toBe(5);
        const lines = stdout.trimEnd().split('\n');
        expect(lines.at(-2)).toMatch(/^✘ tls /);
        expect(lines.at(-2)).toContain(problem);
        expect(lines.at(-2)).toContain(shown);
        expect(lines.at(-1)).toMatch(/^ +→ .+(--ca-file|--tls-skip-verify)/);
      },
    );

    test('shows the chain of a certificate that is trusted, and when it ends', async () => {
      const { flags, ...tls } = makeTls({ trusted: true });
      const { port } = await startNginx({ upstream, tls });
      const { status, stdout } = await doctor([...flags, `https://${NAME}:${port}/`]);
      expect(status).toBe(0);
      expect(stdout).toMatch(
        /^✔ tls .* TLSv1\.[23], regi test server < regi test CA, until \d{4}-\d\d-\d\d$/m,
      );
      expect(stdout).toMatch(
        /→ the certificate expires in [12] days?: contact the operator of the registry/,
      );
    });

    test('reports a port with plain http instead of TLS', async () => {
      const name = upstream.replace('127.0.0.1', NAME);
      const { status, stdout } = await doctor([name]);
      expect(status).toBe(5);
      expect(stdout).toMatch(/^✘ tls .* it does not speak TLS on that port, perhaps plain http$/m);
      expect(stdout).toContain(`--plain-http ${name}`);
    });

    test('reports that nothing listens', async () => {
      const { status, stdout } = await doctor([`${NAME}:${await freePort()}`]);
      expect(status).toBe(5);
      expect(stdout).toMatch(/^✘ tcp .* connection refused$/m);
    });

    test('names the proxy, and whether it or the registry is at fault', async () => {
      const { status, stdout } = await regiAtHome(['doctor', NAME], {
        env: { ...ENV, HTTPS_PROXY: 'http://me:s3cret-canary@127.0.0.1:9' },
      });
      expect(status).toBe(5);
      expect(stdout).toMatch(
        /^✔ proxy .* connections go through http:\/\/127\.0\.0\.1:9 \(HTTPS_PROXY\), with user and password$/m,
      );
      expect(stdout).toMatch(
        /^✘ tcp .* Cannot connect to "registry\.test:443" through the proxy "127\.0\.0\.1:9": connection refused$/m,
      );
      expect(stdout).not.toContain('s3cret-canary');
    });
  },
);

interface Tls {
  readonly certPath: string;
  readonly keyPath: string;
  readonly flags: readonly string[];
}

function makeTls({
  hosts = [NAME],
  expired = false,
  trusted = false,
}: {
  hosts?: string[];
  expired?: boolean;
  trusted?: boolean;
}): Tls {
  const { certPath, keyPath, caPath } = makeCertificates({ hosts, expired });
  return { certPath, keyPath, flags: trusted ? ['--ca-file', caPath] : [] };
}

function makeSelfSigned(): Tls {
  const { certPath, key } = makeSigningCertificate();
  const keyPath = join(temporaryFolder('key'), 'server.key');
  writeFileSync(keyPath, key);
  return { certPath, keyPath, flags: [] };
}
