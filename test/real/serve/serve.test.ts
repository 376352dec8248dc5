import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { makeCertificates } from '../../support/http/certificates.ts';
import { largeLayout } from '../../support/images/large-layout.ts';
import {
  assertNoLeftovers,
  damagedBlobs,
  readIndexJson,
} from '../../support/images/layout-folder.ts';
import { sendRaw } from '../../support/http/raw-request.ts';
import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { runRegi, spawnRegi } from '../../support/cli/regi.ts';
import { startServe, type Served } from '../../support/registries/serve.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

describeReal('regi serve', ['skopeo', 'htpasswd', 'openssl'], () => {
  describe.each([
    ['a layout', () => [`oci:${temporaryFolder('served')}`]],
    ['memory', () => ['--memory']],
  ])('over %s', (_what, args) => {
    let served: Served;
    const at = (name: string): string => `docker://${served.host}/${name}`;

    beforeAll(async () => {
      served = await startServe(args());
    });

    test('stores an image of skopeo and serves the same one', async () => {
      const layout = tinyLayout();
      const back = `oci:${temporaryFolder('back')}:1`;
      await skopeo.copy(layout, at('team/app:1'));
      await skopeo.copy(at('team/app:1'), back);
      expect(await skopeo.digest(back)).toBe(await skopeo.digest(layout));
      expect(await skopeo.listTags(at('team/app'))).toEqual(['1']);
    });

    test('stores an image of regi and serves the same one', async () => {
      const layout = tinyLayout('regi');
      const digest = await skopeo.digest(layout);
      const back = `oci:${temporaryFolder('back')}`;
      expect(await runRegi(['copy', layout, `${served.host}/by/regi:1`])).toMatchObject({
        status: 0,
        stdout: `${served.host}/by/regi:1@${digest}\n`,
      });
      expect(await runRegi(['copy', `${served.host}/by/regi:1`, back])).toMatchObject({
        status: 0,
        stdout: `${back}@${digest}\n`,
      });
      expect(await runRegi(['tags', 'list', `${served.host}/by/regi`])).toMatchObject({
        stdout: '1\n',
      });
      expect(
        await runRegi(['tag', `${served.host}/by/regi:1`, 'latest', `${served.host}/by/another:1`]),
      ).toMatchObject({ status: 0 });
      expect(await skopeo.digest(at('by/another:1'))).toBe(digest);
    });

    test('removes an image that skopeo deletes', async () => {
      await skopeo.copy(tinyLayout('gone'), at('gone/app:1'));
      expect(await skopeo.run(['delete', '--tls-verify=false', at('gone/app:1')])).toMatchObject({
        status: 0,
      });
      expect(await skopeo.listTags(at('gone/app'))).toEqual([]);
      expect(await runRegi(['digest', `${served.host}/gone/app:1`])).toMatchObject({ status: 3 });
    });

    test('keeps one whole image of two pushes at once', async () => {
      const layout = tinyLayout('twice');
      const copies = [
        runRegi(['copy', layout, `${served.host}/twice:1`]),
        skopeo.copy(layout, at('twice:1')),
        skopeo.copy(layout, at('twice:1')),
      ] as const;
      expect(await Promise.all(copies)).toMatchObject([{ status: 0 }, undefined, undefined]);
      const back = temporaryFolder('twice');
      await skopeo.copy(at('twice:1'), `oci:${back}:1`);
      expect([await skopeo.digest(`oci:${back}:1`), damagedBlobs(back)]).toEqual([
        await skopeo.digest(layout),
        [],
      ]);
    });

    test.each([
      ['an Origin', { origin: 'http://evil.example' }],
      ['an unknown Host', { host: 'evil.example' }],
    ])('refuses a request with %s', async (_header, headers) => {
      expect(await sendRaw(served.url, { path: '/v2/_catalog', headers })).toMatchObject({
        status: 403,
      });
    });
  });

  test('keeps everything over a restart, and leaves a layout that skopeo reads', async () => {
    const folder = temporaryFolder('kept');
    const layout = tinyLayout('kept');
    const digest = await skopeo.digest(layout);
    const first = await startServe([`oci:${folder}`]);
    await skopeo.copy(layout, `docker://${first.host}/team/app:1`);
    expect(await first.stop('SIGINT')).toMatchObject({ status: 0 });
    assertNoLeftovers(folder);
    expect(await skopeo.digest(`oci:${folder}:localhost/team/app:1`)).toBe(digest);
    const second = await startServe([folder, '--read-only']);
    expect(await skopeo.digest(`docker://${second.host}/team/app:1`)).toBe(digest);
  });

  test('serves the tags of a layout that skopeo wrote, and adds to them', async () => {
    const folder = join(temporaryFolder('parent'), 'builds');
    const layout = tinyLayout('bare');
    await skopeo.copy(layout, `oci:${folder}:1`);
    const { host, stop } = await startServe([folder]);
    await skopeo.copy(`docker://${host}/builds:1`, `docker://${host}/builds:2`);
    await stop();
    expect(
      readIndexJson(folder).manifests.map(
        ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'],
      ),
    ).toEqual(['1', '2']);
    expect(await skopeo.digest(`oci:${folder}:2`)).toBe(await skopeo.digest(layout));
  });

  test('leaves no part of an upload when it is killed', async () => {
    const folder = temporaryFolder('killed');
    const { host, stop } = await startServe([`oci:${folder}`]);
    const { headers } = await sendRaw(`http://${host}`, {
      method: 'POST',
      path: '/v2/app/blobs/uploads/',
      headers: { 'content-length': 0 },
    });
    await sendRaw(`http://${host}`, {
      method: 'PATCH',
      path: headers.location ?? '',
      body: new Uint8Array(3_000_000),
    });
    await stop('SIGKILL');
    expect(readdirSync(folder).toSorted()).toEqual(['index.json', 'oci-layout']);
  });

  test('lets a transfer finish when it is stopped', async () => {
    const size = 64 * 1024 * 1024;
    const { image } = await largeLayout(size);
    const folder = image.slice('oci:'.length, image.lastIndexOf(':'));
    const layer = readdirSync(join(folder, 'blobs', 'sha256')).find(
      (name) => statSync(join(folder, 'blobs', 'sha256', name)).size === size,
    );
    const { host, stop } = await startServe([folder]);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`http://${host}/v2/x/blobs/sha256:${layer}`, { agent: false }, resolve).once(
        'error',
        reject,
      );
    });
    const stopped = stop();
    let received = 0;
    for await (const chunk of response) received += (chunk as Uint8Array).byteLength;
    expect([received, await stopped]).toMatchObject([size, { status: 0 }]);
  });

  test('refuses writes with --read-only, and creates no layout', async () => {
    const layout = tinyLayout('fixed');
    const { host } = await startServe([
      layout.slice('oci:'.length, layout.lastIndexOf(':')),
      '--read-only',
    ]);
    expect(await runRegi(['copy', layout, `${host}/new:1`])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('read-only') as string,
    });
    const absent = join(temporaryFolder('absent'), 'layout');
    expect(
      await runRegi(['serve', `oci:${absent}`, '--read-only', '--listen', '127.0.0.1:0']),
    ).toMatchObject({ status: 3 });
  });

  test('lets in the users of --htpasswd only, over TLS', async () => {
    const { caFolder, caPath, certPath, keyPath } = makeCertificates({
      hosts: ['127.0.0.1', 'registry.example'],
    });
    const htpasswd = join(temporaryFolder('htpasswd'), 'users');
    writeFileSync(
      htpasswd,
      execFileSync(requireTool('htpasswd'), ['-nbB', 'alice', 'secret'], { encoding: 'utf8' }),
    );
    const served = await startServe([
      '--memory',
      '--htpasswd',
      htpasswd,
      '--tls-cert',
      certPath,
      '--tls-key',
      keyPath,
      '-v',
    ]);
    const name = `docker://${served.host}/app:1`;
    expect(served.url).toMatch(/^https:/);
    await skopeo.copy(tinyLayout('tls'), name, { to: { caFolder, creds: 'alice:secret' } });
    await expect(skopeo.digest(name, { caFolder, creds: 'alice:wrong' })).rejects.toThrow(
      /unauthorized|authentication required/i,
    );
    await expect(skopeo.digest(name, { caFolder })).rejects.toThrow(
      /unauthorized|authentication required/i,
    );
    const env = { REGI_REGISTRY: served.host, REGI_USERNAME: 'alice', REGI_PASSWORD: 'secret' };
    expect(
      await runRegi(['digest', '--ca-file', caPath, `${served.host}/app:1`], { env }),
    ).toMatchObject({ status: 0 });
    expect(served.stderr()).toMatch(/ PUT \/v2\/app\/manifests\/1 201 \d+ ms$/m);
    expect(served.stderr()).not.toContain('secret');
  });

  test('prints its address as an object with --json', async () => {
    const {
      process: child,
      output,
      finished,
    } = spawnRegi(['serve', '--memory', '--listen', '127.0.0.1:0', '--json']);
    await new Promise((resolve) => {
      child.stdout.once('data', resolve);
    });
    const { url, port, place, readOnly } = JSON.parse(output.stdout) as {
      url: string;
      port: number;
      place: string;
      readOnly: boolean;
    };
    expect({ place, readOnly }).toEqual({ place: 'memory', readOnly: false });
    expect(await sendRaw(url, { path: '/v2/' })).toMatchObject({ status: 200 });
    expect(url).toBe(`http://127.0.0.1:${port}`);
    child.kill('SIGTERM');
    expect(await finished).toMatchObject({ status: 0, stderr: '' });
  });
});
