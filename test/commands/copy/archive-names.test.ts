import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { parseImageConfig } from '../../../src/oci/image-config.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const index = makeIndex({ seed: 71 });
const [amd64, arm64] = index.images;

let from: FakeRegistry;
let cwd: string;

beforeAll(async () => {
  from = await startFakeRegistry();
  await index.pushAll(from.place.open('app'), '1');
});

beforeEach(() => {
  cwd = temporaryFolder('names');
});

function regi(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd });
}

describe('A16: the name of an archive says how it is packed', () => {
  test.each(['x.tar.gz', 'x.tgz'])('%s is packed by gzip, and can be read again', async (name) => {
    await regi('export', `${from.host}/app:1`, '-o', 'plain.tar');
    const { status, stdout } = await regi('export', `${from.host}/app:1`, '-o', name);
    expect([status, stdout]).toEqual([0, expect.stringContaining(index.root.digest)]);
    expect(gunzipSync(readFileSync(join(cwd, name)))).toEqual(readFileSync(join(cwd, 'plain.tar')));
    expect((await regi('verify', `./${name}`)).status).toBe(0);
    expect(readdirSync(cwd).toSorted()).toEqual(['plain.tar', name].toSorted());
  });

  test.each(['x.tar.xz', 'x.tar.bz2', 'x.tar.lz4'])(
    '%s is refused before anything is read, with what to type',
    async (name) => {
      from.forgetRequests();
      const { status, stderr } = await regi('copy', `${from.host}/app:1`, `archive:${name}`);
      expect([status, stderr]).toEqual([2, expect.stringContaining('-o - |')]);
      expect(existsSync(join(cwd, name))).toBe(false);
    },
  );

  test('a packed archive is not split', async () => {
    const split = ['--split', '1M', '-o', 'x.tar.gz'];
    const { status, stderr } = await regi('export', `${from.host}/app:1`, ...split);
    expect([status, stderr]).toEqual([2, expect.stringContaining('x.tar')]);
  });

  test('a failed export leaves nothing behind', async () => {
    const blob = amd64?.layers[0]?.digest ?? '';
    from.fault({
      match: { method: 'GET', path: new RegExp(`/blobs/${blob}`) },
      action: { kind: 'respond', status: 404, body: '' },
      times: 9,
    });
    const { status } = await regi('export', `${from.host}/app:1`, '-o', 'x.tar.gz');
    from.forgetFaults();
    expect([status, readdirSync(cwd)]).toEqual([3, []]);
  });
});

test('D14: a copy of an index into docker-archive: prints what was written, and says that it narrowed', async () => {
  const copied = await regi('copy', `${from.host}/app:1`, 'docker-archive:one.tar');
  expect(copied.stdout).toContain(amd64?.root.digest);
  expect(copied.stdout).not.toContain(index.root.digest);
  expect(copied.stderr).toContain('was narrowed to linux/amd64');
  const chosen = ['--docker-platform', 'linux/arm64', '-o', 'docker-archive:two.tar'];
  const exported = await regi('export', `${from.host}/app:1`, ...chosen);
  expect(exported.stdout).toContain(arm64?.root.digest);
});

test('D17: a dry run into a layout that does not exist plans like the copy, and makes nothing', async () => {
  const planned = await regi('copy', '--dry-run', `${from.host}/app:1`, 'oci:new:1');
  expect([planned.status, existsSync(join(cwd, 'new'))]).toEqual([0, false]);
  expect(planned.stdout).toContain(index.root.digest);
  const missing = await regi('copy', '--dry-run', 'oci:none:1', 'oci:new:1');
  expect(missing.status).toBe(3);
});

describe('A9: layers packed by zstd', () => {
  const image = makeImage({ seed: 75, layers: [1000, 200_000], packing: 'zstd' });

  beforeAll(async () => {
    await image.pushAll(from.place.open('zstd'), '1');
  });

  test.each([
    ['copy', ['copy', 'docker-archive:z.tar']],
    ['pull -o', ['pull', '-o', 'docker-archive:z.tar']],
    ['export', ['export', '-o', 'docker-archive:z.tar']],
  ])('regi %s writes them unpacked into docker-archive:, and says so', async (_, words) => {
    const [command = '', ...rest] = words;
    const { status, stderr } = await regi(command, `${from.host}/zstd:1`, ...rest);
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining('unpacked: some versions of docker'),
    ]);
    const { diffIds } =
      parseImageConfig(image.nodes.get(image.config.digest)?.bytes ?? new Uint8Array()) ?? {};
    const listed = await regi('manifest', 'get', 'docker-archive:z.tar');
    const { layers } = JSON.parse(listed.stdout) as { layers: { digest: string }[] };
    expect(layers.map(({ digest }) => digest)).toEqual(diffIds);
    expect((await regi('verify', '--deep', 'docker-archive:z.tar')).status).toBe(0);
  });

  test('other archives keep them, and a warning says which docker cannot load it', async () => {
    const { status, stderr } = await regi('export', `${from.host}/zstd:1`, '-o', 'z.tar');
    expect([status, stderr]).toEqual([0, expect.stringContaining('docker before version 23')]);
    expect((await regi('digest', 'archive:z.tar')).stdout.trim()).toBe(image.root.digest);
  });

  test('a dry run reads none of them', async () => {
    from.forgetRequests();
    const planned = ['--dry-run', '-o', 'docker-archive:z.tar'];
    const { status } = await regi('export', `${from.host}/zstd:1`, ...planned);
    const read = from.requests.filter(({ url }) =>
      image.layers.some(({ digest }) => url.endsWith(digest)),
    );
    expect([status, read]).toEqual([0, []]);
  });
});
