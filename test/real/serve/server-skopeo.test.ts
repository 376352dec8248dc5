import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { digestOf } from '../../../src/oci/digest.ts';
import { authenticateHtpasswd } from '../../../src/server/htpasswd.ts';
import { startServer, type RunningServer, type ServerOptions } from '../../../src/server/server.ts';
import { fileSpool } from '../../../src/server/spool.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { makeCertificates } from '../../support/http/certificates.ts';
import { afterFile } from '../../support/cleanup.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

async function start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({
    place: createMemoryPlace(),
    clock: { now: () => Date.now() },
    spool: fileSpool(temporaryFolder('spool')),
    ...options,
  });
  afterFile(server.destroy);
  return server;
}

describeReal('regi serve and skopeo', ['skopeo', 'htpasswd', 'openssl'], () => {
  let server: RunningServer;
  const at = (name: string): string => `docker://127.0.0.1:${server.port}/${name}`;

  beforeAll(async () => {
    server = await start();
  });

  test('stores an image and serves the same one', async () => {
    const layout = tinyLayout();
    const back = `oci:${temporaryFolder('back')}:1`;
    await skopeo.copy(layout, at('team/app:1'));
    await skopeo.copy(at('team/app:1'), back);
    expect(await skopeo.digest(at('team/app:1'))).toBe(await skopeo.digest(layout));
    expect(await skopeo.rawManifest(back)).toBe(await skopeo.rawManifest(layout));
    expect(await skopeo.inspect(at('team/app:1'))).toMatchObject({
      RepoTags: ['1'],
      Os: 'linux',
      Architecture: 'amd64',
    });
  });

  test('lists tags, and copies inside the registry', async () => {
    await skopeo.copy(tinyLayout('two'), at('list/app:2'));
    await skopeo.copy(at('list/app:2'), at('list/app:1'));
    await skopeo.copy(at('list/app:2'), at('list/other:1'));
    expect(await skopeo.listTags(at('list/app'))).toEqual(['1', '2']);
    expect(await skopeo.digest(at('list/other:1'))).toBe(await skopeo.digest(at('list/app:2')));
  });

  test('deletes by the digest that skopeo resolves', async () => {
    await skopeo.copy(tinyLayout('three'), at('gone/app:1'));
    expect(await skopeo.run(['delete', '--tls-verify=false', at('gone/app:1')])).toMatchObject({
      status: 0,
    });
    expect(await skopeo.listTags(at('gone/app'))).toEqual([]);
  });

  test('stores and serves an index whole', async () => {
    const place = createMemoryPlace();
    const index = makeIndex();
    await index.pushAll(place.open('multi'), '1');
    const other = await start({ place });
    await skopeo.copy(`docker://127.0.0.1:${other.port}/multi:1`, at('multi:1'), { all: true });
    expect(await skopeo.digest(at('multi:1'))).toBe(index.root.digest);
  });

  test('two pushes of one image at once leave one whole image', async () => {
    const layout = tinyLayout('four');
    await Promise.all([skopeo.copy(layout, at('twice:1')), skopeo.copy(layout, at('twice:1'))]);
    const folder = temporaryFolder('twice');
    await skopeo.copy(at('twice:1'), `oci:${folder}:1`);
    expect(await skopeo.digest(`oci:${folder}:1`)).toBe(await skopeo.digest(layout));
  });

  test('accepts only the password of an htpasswd file, over TLS', async () => {
    const place = createMemoryPlace();
    const image = makeImage();
    await image.pushAll(place.open('app'), '1');
    const { caFolder, cert, key } = makeCertificates({ hosts: ['127.0.0.1'] });
    const file = execFileSync(requireTool('htpasswd'), ['-nbB', 'alice', 'secret'], {
      encoding: 'utf8',
    });
    const { port } = await start({
      place,
      tls: { cert, key },
      authenticate: authenticateHtpasswd(file),
    });
    const name = `docker://127.0.0.1:${port}/app:1`;
    expect(await skopeo.digest(name, { caFolder, creds: 'alice:secret' })).toBe(image.root.digest);
    await expect(skopeo.digest(name, { caFolder, creds: 'alice:wrong' })).rejects.toThrow(
      /unauthorized|authentication required/i,
    );
    await expect(skopeo.digest(name, { caFolder })).rejects.toThrow(
      /unauthorized|authentication required/i,
    );
  });

  test('keeps layers as they were sent', async () => {
    const folder = temporaryFolder('dir');
    const image = makeImage({ layers: [3_000_000, 10] });
    const place = createMemoryPlace();
    await image.pushAll(place.open('app'), '1');
    const { port } = await start({ place });
    await skopeo.copy(`docker://127.0.0.1:${port}/app:1`, `dir:${folder}`);
    for (const { digest } of image.layers)
      expect(digestOf(readFileSync(join(folder, digest.slice('sha256:'.length))))).toBe(digest);
  });
});
