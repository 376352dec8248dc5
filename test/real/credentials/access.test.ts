import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { makeCertificates } from '../../support/http/certificates.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { realImages } from '../../support/images/rootfs.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { startThrottleProxy } from '../../support/http/throttle-proxy.ts';
import { startTokenServer } from '../../support/registries/token-server.ts';

const USER = 'ci';
const PASSWORD = 'correct horse battery';

function loginEnv(host: string, password = PASSWORD): Record<string, string> {
  return { REGI_REGISTRY: host, REGI_USERNAME: USER, REGI_PASSWORD: password };
}

describeReal(
  'regi and a registry with htpasswd behind TLS',
  ['docker-registry', 'skopeo', 'buildah', 'openssl'],
  () => {
    async function start() {
      const { ca, cert, key } = makeCertificates({ hosts: ['127.0.0.1'] });
      const registry = await startDockerRegistry({
        htpasswd: { user: USER, password: PASSWORD },
        tls: { cert, key },
      });
      const caFile = join(temporaryFolder('ca'), 'ca.crt');
      writeFileSync(caFile, ca);
      return { registry, caFile };
    }

    test('pushes and reads with the right password, trusting a given authority', async () => {
      const { registry, caFile } = await start();
      const { image, imageDigest } = await realImages();
      const env = loginEnv(registry.host);

      expect(
        await runRegi(['copy', '--ca-file', caFile, image, `${registry.host}/private:1`], { env }),
      ).toMatchObject({ status: 0 });
      expect(
        (await runRegi(['digest', '--ca-file', caFile, `${registry.host}/private:1`], { env }))
          .stdout,
      ).toBe(`${imageDigest}\n`);
      expect(
        await skopeo.digest(`docker://${registry.host}/private:1`, {
          creds: `${USER}:${PASSWORD}`,
        }),
      ).toBe(imageDigest);
    });

    test('reads the login that docker stored', async () => {
      const { registry, caFile } = await start();
      const { image } = await realImages();
      const config = temporaryFolder('docker');
      mkdirSync(config, { recursive: true });
      writeFileSync(
        join(config, 'config.json'),
        JSON.stringify({
          auths: {
            [registry.host]: { auth: Buffer.from(`${USER}:${PASSWORD}`).toString('base64') },
          },
        }),
      );

      expect(
        await runRegi(['copy', '--ca-file', caFile, image, `${registry.host}/private:1`], {
          env: { DOCKER_CONFIG: config },
        }),
      ).toMatchObject({ status: 0 });
    });

    test('refuses a wrong password with status 4, and never shows it', async () => {
      const { registry, caFile } = await start();
      const { image } = await realImages();

      const refused = await runRegi(
        ['-vv', 'copy', '--ca-file', caFile, image, `${registry.host}/private:1`],
        { env: loginEnv(registry.host, 'wrong-canary') },
      );

      expect(refused.status).toBe(4);
      expect(refused.stderr).toContain('REGI_');
      expect(refused.stderr).not.toContain('wrong-canary');
      expect(refused.stderr).not.toContain(Buffer.from(`${USER}:wrong-canary`).toString('base64'));
    });

    test('refuses a certificate of an unknown authority with a hint', async () => {
      const { registry } = await start();
      const refused = await runRegi(['digest', `${registry.host}/private:1`]);
      expect(refused.status).toBe(5);
      expect(refused.stderr).toContain('--ca-file');
    });

    test('reaches an unverified registry with --insecure', async () => {
      const { registry } = await start();
      const absent = await runRegi(
        ['digest', '--insecure-registry', registry.host, `${registry.host}/absent:1`],
        { env: loginEnv(registry.host) },
      );
      expect(absent.status).toBe(3);
    });
  },
);

describeReal(
  'regi and a registry with token authentication',
  ['docker-registry', 'skopeo', 'buildah', 'openssl'],
  () => {
    const users = {
      [USER]: {
        password: PASSWORD,
        rights: { 'team/*': ['pull', 'push'], 'open/*': ['pull', 'push'] },
      },
    };

    test('pushes and pulls with a user, pulls anonymously, and is denied a push with a hint to log in', async () => {
      const tokens = await startTokenServer({ users, anonymous: { 'open/*': ['pull'] } });
      const registry = await startDockerRegistry({ token: tokens.auth });
      const { image, imageDigest } = await realImages();
      const env = loginEnv(registry.host);

      expect(
        await runRegi(['copy', image, `${registry.host}/open/debian:12`], { env }),
      ).toMatchObject({ status: 0 });
      expect((await runRegi(['digest', `${registry.host}/open/debian:12`], { env })).stdout).toBe(
        `${imageDigest}\n`,
      );
      expect((await runRegi(['digest', `${registry.host}/open/debian:12`])).stdout).toBe(
        `${imageDigest}\n`,
      );

      const denied = await runRegi(['copy', image, `${registry.host}/open/debian:mine`]);
      expect(denied.status).toBe(4);
      expect(denied.stderr).toContain('regi login');
    });

    test('mounts between repositories with one token', async () => {
      const tokens = await startTokenServer({ users });
      const registry = await startDockerRegistry({ token: tokens.auth });
      const { image, imageDigest } = await realImages();
      const env = loginEnv(registry.host);
      await runRegi(['copy', image, `${registry.host}/team/a:1`], { env });

      const tagged = await runRegi(
        ['tag', '--mount-only', `${registry.host}/team/a:1`, `${registry.host}/team/b:1`],
        { env },
      );

      expect(tagged).toMatchObject({
        status: 0,
        stdout: `${registry.host}/team/b:1@${imageDigest}\n`,
      });
    });

    test('renews a token that ends in the middle of a copy', async () => {
      // docker-registry grants 60 s of leeway: this token lives for 3 s in truth.
      const tokens = await startTokenServer({ users, expiresIn: 3, endsIn: -57 });
      const registry = await startDockerRegistry({ token: tokens.auth });
      const { image, imageDigest } = await realImages();
      const dead = await tokens.token(['repository:team/debian:pull'], -61);
      expect(
        (
          await fetch(`${registry.url}/v2/team/debian/tags/list`, {
            headers: { authorization: `Bearer ${dead}` },
          })
        ).status,
      ).toBe(401);
      const layout = temporaryFolder('slow');
      await skopeo.copy(image, `oci:${layout}:1`);
      const size = (
        JSON.parse(await skopeo.rawManifest(`oci:${layout}:1`)) as {
          readonly layers: readonly { readonly size: number }[];
        }
      ).layers.map((layer) => layer.size);
      const slow = await startThrottleProxy(registry.host, {
        bytesPerSecond: Math.max(...size) / 5,
      });

      const copied = await runRegi(
        ['copy', '--concurrency', '1', `oci:${layout}:1`, `${slow.host}/team/debian:1`],
        { env: loginEnv(slow.host) },
      );

      expect(copied).toMatchObject({
        status: 0,
        stdout: `${slow.host}/team/debian:1@${imageDigest}\n`,
      });
      expect(tokens.requests.filter(({ status }) => status === 200).length).toBeGreaterThan(1);
    });
  },
);
