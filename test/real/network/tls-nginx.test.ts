import { symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import {
  makeCertificates,
  makeSigningCertificate,
  type Certificates,
  type SigningCertificate,
} from '../../support/http/certificates.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { homeWith, regiAtHome } from '../../support/cli/home.ts';
import { startNginx, type Nginx, type NginxOptions } from '../../support/programs/nginx.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

const NAME = 'registry.test';

describeReal('regi and a registry behind nginx', ['docker-registry', 'nginx', 'openssl'], () => {
  let upstream = '';
  let good: Certificates;
  let client: SigningCertificate;

  beforeAll(async () => {
    upstream = (await startDockerRegistry()).host;
    good = makeCertificates({ hosts: [NAME] });
    client = makeSigningCertificate();
    await regiAtHome(['copy', '--plain-http', upstream, tinyLayout(), `${upstream}/app:1`]);
  });

  async function serve(
    options: Omit<NginxOptions, 'upstream'>,
  ): Promise<Nginx & { readonly name: string }> {
    const nginx = await startNginx({ upstream, ...options });
    return { ...nginx, name: `${NAME}:${nginx.port}` };
  }

  describe('with a private authority', () => {
    let name = '';

    beforeAll(async () => {
      ({ name } = await serve({ tls: good }));
    });

    test('copies when --ca-file names the authority', async () => {
      expect(
        await regiAtHome(['copy', '--ca-file', good.caPath, tinyLayout('new'), `${name}/app:2`]),
      ).toMatchObject({ status: 0 });
      expect(await regiAtHome(['digest', '--ca-file', good.caPath, `${name}/app:2`])).toMatchObject(
        { status: 0 },
      );
    });

    test.each(['.config/docker/certs.d', '.config/containers/certs.d'])(
      'reads when ~/%s has the authority for that host',
      async (folder) => {
        const home = homeWith({ [`${folder}/${name}/ca.crt`]: good.ca });
        expect(await regiAtHome(['digest', `${name}/app:1`], { home })).toMatchObject({
          status: 0,
          stderr: '',
        });
      },
    );

    test('does not read when certs.d has the authority for another port', async () => {
      const home = homeWith({ [`.config/docker/certs.d/${NAME}/ca.crt`]: good.ca });
      expect(await regiAtHome(['digest', `${name}/app:1`], { home })).toMatchObject({ status: 5 });
    });

    test('reads when config.yaml names the authority for that host', async () => {
      const home = homeWith({
        '.config/regi/config.yaml': `hosts:\n  ${name}:\n    ca: ca.pem\n`,
        '.config/regi/ca.pem': good.ca,
      });
      expect(await regiAtHome(['digest', `${name}/app:1`], { home })).toMatchObject({
        status: 0,
        stderr: '',
      });
    });

    test('reads with SSL_CERT_FILE, and with SSL_CERT_DIR', async () => {
      expect(
        await regiAtHome(['digest', `${name}/app:1`], { env: { SSL_CERT_FILE: good.caPath } }),
      ).toMatchObject({ status: 0, stderr: '' });
      const folder = temporaryFolder('hashed');
      symlinkSync(good.caPath, join(folder, '0.0'));
      expect(
        await regiAtHome(['digest', `${name}/app:1`], { env: { SSL_CERT_DIR: folder } }),
      ).toMatchObject({ status: 0, stderr: '' });
    });

    test('still trusts NODE_EXTRA_CA_CERTS when --ca-file names another authority', async () => {
      const other = makeCertificates({ hosts: ['other.test'] });
      const env = { NODE_EXTRA_CA_CERTS: good.caPath };
      expect(
        await regiAtHome(['digest', '--ca-file', other.caPath, `${name}/app:1`], { env }),
      ).toMatchObject({ status: 0 });
    });

    test('does not trust it otherwise, with a hint', async () => {
      const refused = await regiAtHome(['digest', `${name}/app:1`]);
      expect(refused.status).toBe(5);
      expect(refused.stderr).toBe(
        `regi: Cannot trust "${name}": its certificate is signed by an authority that this machine does not know\n` +
          `  name its authority with --ca-file FILE; to trust it blindly: --tls-skip-verify ${name}\n`,
      );
      expect(
        await regiAtHome(['digest', '--tls-skip-verify', name, `${name}/app:1`]),
      ).toMatchObject({ status: 0 });
    });

    test('refuses a --ca-file without certificates, and a missing one', async () => {
      const empty = join(homeWith({ 'ca.pem': 'nothing' }), 'ca.pem');
      const refused = await regiAtHome(['digest', '--ca-file', empty, `${name}/app:1`]);
      expect(refused.status).toBe(2);
      expect(refused.stderr).toContain('expected PEM certificates');
      expect(
        await regiAtHome(['digest', '--ca-file', '/nowhere.pem', `${name}/app:1`]),
      ).toMatchObject({ status: 2 });
    });
  });

  test('reports a self-signed certificate', async () => {
    const { cert, key } = makeSigningCertificate();
    const folder = homeWith({ 'cert.pem': cert, 'key.pem': key });
    const { name } = await serve({
      tls: { certPath: join(folder, 'cert.pem'), keyPath: join(folder, 'key.pem') },
    });
    const refused = await regiAtHome(['digest', `${name}/app:1`]);
    expect(refused.status).toBe(5);
    expect(refused.stderr).toContain(`Cannot trust "${name}": its certificate is signed by itself`);
    expect(refused.stderr).toContain('--ca-file FILE');
  });

  test('reports an expired certificate, which no --ca-file repairs', async () => {
    const expired = makeCertificates({ hosts: [NAME], expired: true });
    const { name } = await serve({ tls: expired });
    const refused = await regiAtHome(['digest', '--ca-file', expired.caPath, `${name}/app:1`]);
    expect(refused.status).toBe(5);
    expect(refused.stderr).toContain(`Cannot trust "${name}": its certificate has expired`);
    expect(refused.stderr).not.toContain('--ca-file');
  });

  test('lists the names of a certificate', async () => {
    const other = makeCertificates({ hosts: ['other.test', 'more.test'] });
    const { name } = await serve({ tls: other });
    const refused = await regiAtHome(['digest', '--ca-file', other.caPath, `${name}/app:1`]);
    expect(refused.status).toBe(5);
    expect(refused.stderr).toContain(
      'its certificate is for another name (it is for "other.test", "more.test")',
    );
  });

  test('reports plain http on the port with a hint, and the hint works', async () => {
    const { name } = await serve({});
    const refused = await regiAtHome(['digest', `${name}/app:1`]);
    expect(refused.status).toBe(5);
    expect(refused.stderr).toContain('does not speak TLS on that port');
    expect(refused.stderr).toContain(`--plain-http ${name}`);
    expect(await regiAtHome(['digest', '--plain-http', name, `${name}/app:1`])).toMatchObject({
      status: 0,
    });
  });

  test('speaks no TLS before version 1.2', async () => {
    const { name } = await serve({ tls: good, protocols: 'TLSv1.1' });
    const refused = await regiAtHome(['digest', '--ca-file', good.caPath, `${name}/app:1`]);
    expect(refused.status).toBe(5);
    expect(refused.stderr).toContain('does not speak TLS 1.2 or later');
  });

  describe('that wants client certificates', () => {
    let name = '';

    beforeAll(async () => {
      ({ name } = await serve({ tls: good, clientCa: client.certPath }));
    });

    test('copies with the certificate and key in certs.d', async () => {
      const folder = `.config/docker/certs.d/${name}`;
      const home = homeWith({
        [`${folder}/ca.crt`]: good.ca,
        [`${folder}/client.cert`]: client.cert,
        [`${folder}/client.key`]: client.key,
      });
      expect(
        await regiAtHome(['copy', tinyLayout('mutual'), `${name}/app:3`], { home }),
      ).toMatchObject({ status: 0 });
      expect(await regiAtHome(['digest', `${name}/app:3`], { home })).toMatchObject({
        status: 0,
        stderr: '',
      });
    });

    test('says where to put a client certificate when it is missing', async () => {
      const refused = await regiAtHome(['digest', '--ca-file', good.caPath, `${name}/app:1`]);
      expect(refused.stderr).toContain(`.config/docker/certs.d/${name}/client.cert`);
      expect(refused.status).toBe(1);
    });

    test('refuses half a pair', async () => {
      const folder = `.config/docker/certs.d/${name}`;
      const home = homeWith({
        [`${folder}/ca.crt`]: good.ca,
        [`${folder}/client.cert`]: client.cert,
      });
      const refused = await regiAtHome(['digest', `${name}/app:1`], { home });
      expect(refused.status).toBe(2);
      expect(refused.stderr).toContain('client.key');
    });

    test('refuses a key of another certificate', async () => {
      const folder = `.config/docker/certs.d/${name}`;
      const home = homeWith({
        [`${folder}/client.cert`]: client.cert,
        [`${folder}/client.key`]: makeSigningCertificate().key,
      });
      const refused = await regiAtHome(['digest', `${name}/app:1`], { home });
      expect(refused.status).toBe(2);
      expect(refused.stderr).toContain(`Cannot use the certificates for "${name}"`);
    });
  });

  test('understands the alert of a registry that wants a client certificate itself', async () => {
    const registry = await startDockerRegistry({
      tls: { cert: good.cert, key: good.key, clientCa: client.certPath },
    });
    const name = registry.host.replace('127.0.0.1', NAME);
    const refused = await regiAtHome(['digest', '--ca-file', good.caPath, `${name}/app:1`]);
    expect(refused.stderr).toContain(`Cannot connect to "${name}": it wants a client certificate`);
    expect(refused.status).toBe(5);
    const stranger = makeSigningCertificate();
    const folder = `.config/docker/certs.d/${name}`;
    const home = homeWith({
      [`${folder}/ca.crt`]: good.ca,
      [`${folder}/client.cert`]: stranger.cert,
      [`${folder}/client.key`]: stranger.key,
    });
    const other = await regiAtHome(['digest', `${name}/app:1`], { home });
    expect(other.status).toBe(5);
    expect(other.stderr).toContain('certificate');
  });
});
