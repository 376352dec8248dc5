import { existsSync } from 'node:fs';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { expectGolden } from '../../support/golden.ts';
import { makeImage, makeIndex, type TestImage } from '../../support/images/images.ts';
import { blobPath } from '../../support/images/layout-folder.ts';
import { localImages, type LocalImages } from '../../support/images/local-images.ts';

const INDEX = makeIndex();
const [AMD64 = makeImage()] = INDEX.images;
const OTHER = makeImage({ seed: 7 });
const ID = AMD64.config.digest.slice(7, 19);

const original = localImages();
let local: LocalImages;

beforeAll(async () => {
  await original.keep(AMD64, 'nginx:1.27', INDEX.root.digest);
  await original.keep(AMD64, 'nginx:latest', INDEX.root.digest);
  await original.keep(OTHER, 'registry.example/app:2');
});

beforeEach(() => {
  local = localImages(original);
});

/** Runs `regi rmi` and gives its lines. */
async function removed(...args: readonly string[]): Promise<readonly string[]> {
  const { status, io } = await local.run(['rmi', ...args]);
  expect({ status, stderr: io.stderrText() }).toEqual({ status: 0, stderr: '' });
  return io.stdoutText().split('\n').slice(0, -1);
}

const isThere = (image: TestImage): boolean =>
  [...image.nodes.keys()].every((digest) => existsSync(blobPath(local.folder, digest)));
const isGone = (image: TestImage): boolean =>
  ![...image.nodes.keys()].some((digest) => existsSync(blobPath(local.folder, digest)));

describe('regi rmi', () => {
  test('prints the same as docker for the last name of an image', async () => {
    await removed('nginx:1.27');
    expectGolden('test/golden/local/rmi.txt', (await removed('nginx')).join('\n'));
    expect(isGone(AMD64)).toBe(true);
  });

  test('removes one name of several, and no content', async () => {
    expect(await removed('nginx')).toEqual(['Untagged: nginx:latest']);
    expect([await local.names(), isThere(AMD64)]).toEqual([
      ['docker.io/library/nginx:1.27', 'registry.example/app:2'],
      true,
    ]);
  });

  test.each([
    ['an id', ID],
    ['an id in full', AMD64.config.digest],
    ['the digest of the manifest', AMD64.root.digest],
    ['an id of more digits than are shown', AMD64.config.digest.slice(7, 25)],
  ])('removes all names of an image by %s', async (_what, text) => {
    const lines = await removed(text);
    expect(lines.slice(0, 3)).toEqual([
      'Untagged: nginx:1.27',
      'Untagged: nginx:latest',
      `Untagged: nginx@${INDEX.root.digest}`,
    ]);
    expect([await local.names(), isGone(AMD64)]).toEqual([['registry.example/app:2'], true]);
  });

  test.each([
    ['the index', INDEX.root.digest],
    ['the platform', AMD64.root.digest],
  ])('removes the tags of a digest of %s', async (_what, digest) => {
    await removed(`nginx@${digest}`);
    expect(await local.names()).toEqual(['registry.example/app:2']);
  });

  test('removes a name that is made of a digest before any tag', async () => {
    await local.keep(AMD64, `nginx@${AMD64.root.digest}`, INDEX.root.digest);
    expect(await removed(`nginx@${INDEX.root.digest}`)).toEqual([
      `Untagged: nginx@${INDEX.root.digest}`,
    ]);
    expect(await local.names()).not.toContain(`docker.io/library/nginx@${AMD64.root.digest}`);
    expect(await local.names()).toContain('docker.io/library/nginx:1.27');
  });

  test('-f warns of a missing image and exits 0, as docker does', async () => {
    const { status, io } = await local.run(['rmi', '-f', 'absent:1']);
    expect([status, io.stdoutText()]).toEqual([0, '']);
    expect(io.stderrText()).toMatch(/^regi: warning: Cannot find "absent:1" in the local store/);
    expect((await local.run(['rmi', 'absent:1'])).status).toBe(3);
  });

  test('refuses an id with names in several repositories, unless --force is given', async () => {
    await local.keep(AMD64, 'registry.example/mirror/nginx:1');
    const { status, io } = await local.run(['rmi', ID]);
    expect([status, io.stdoutText()]).toEqual([1, '']);
    expect(io.stderrText()).toContain(`regi rmi --force ${ID}`);
    await removed('-f', ID);
    expect(await local.names()).toEqual(['registry.example/app:2']);
  });

  test('removes an image without a name by its id', async () => {
    const newer = makeImage({ seed: 9 });
    await local.keep(newer, 'registry.example/app:2');
    expect((await removed(OTHER.config.digest.slice(7, 19))).toSorted()).toEqual(
      [...OTHER.nodes.keys()].map((digest) => `Deleted: ${digest}`).toSorted(),
    );
    expect([isGone(OTHER), isThere(newer)]).toEqual([true, true]);
  });

  test('continues after a missing name, and exits 8', async () => {
    const { status, io } = await local.run(['rmi', 'nginx:1.27', 'absent', 'nginx:latest']);
    expect([status, io.stdoutText().match(/^Untagged: nginx:\S+$/gm)]).toEqual([
      8,
      ['Untagged: nginx:1.27', 'Untagged: nginx:latest'],
    ]);
    expect(io.stderrText()).toContain('Cannot find "absent" in the local store');
  });

  test.each([
    ['a name that is not there', 'nginx:1.28', 3, 'regi images'],
    ['an id that is not there', '0123456789ab', 3, 'regi images'],
    ['a name in capitals', 'Nginx:1.27', 2, ''],
    ['a path', './nginx', 2, ''],
  ])('fails for %s', async (_what, text, expected, hint) => {
    const { status, io } = await local.run(['rmi', text]);
    expect([status, io.stdoutText()]).toEqual([expected, '']);
    expect(io.stderrText()).toContain(hint);
    expect(await local.names()).toHaveLength(3);
  });

  test('accepts local: before a name', async () => {
    expect(await removed('local:nginx:1.27')).toEqual(['Untagged: nginx:1.27']);
  });

  test('--json prints names, digests and bytes', async () => {
    const { io } = await local.run(['rmi', '--json', 'registry.example/app:2']);
    const bytes = [...OTHER.nodes.values()].reduce(
      (sum, { descriptor }) => sum + descriptor.size,
      0,
    );
    expect(JSON.parse(io.stdoutText())).toMatchObject({
      untagged: ['registry.example/app:2'],
      deleted: { length: OTHER.nodes.size },
      bytes,
    });
  });
});
