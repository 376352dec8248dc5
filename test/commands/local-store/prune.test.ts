import { writeFileSync } from 'node:fs';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { expectGolden } from '../../support/golden.ts';
import { makeBlob, makeImage } from '../../support/images/images.ts';
import { blobPath } from '../../support/images/layout-folder.ts';
import { localImages, type LocalImages } from '../../support/images/local-images.ts';

const [OLD, NEW] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];

const original = localImages();
let local: LocalImages;

beforeAll(async () => {
  await original.keep(OLD, 'app:1');
  await original.keep(NEW, 'app:1');
});

beforeEach(() => {
  local = localImages(original);
});

describe('regi prune', () => {
  test('removes images that lost their name, and prints their digests and size', async () => {
    const { status, io } = await local.run(['prune']);
    expect([status, io.stderrText()]).toEqual([0, '']);
    expectGolden('test/golden/local/prune.txt', io.stdoutText());
    expect(await local.names()).toEqual(['docker.io/library/app:1']);
  });

  test('does nothing the second time', async () => {
    await local.run(['prune']);
    expect((await local.run(['prune'])).io.stdoutText()).toBe('Total reclaimed space: 0 B\n');
  });

  test('--dry-run prints the digests to delete, and removes nothing', async () => {
    const { io } = await local.run(['prune', '--dry-run']);
    expect(io.stdoutText().match(/^Would delete: /gm)).toHaveLength(OLD.nodes.size);
    expect(await local.names()).toHaveLength(2);
  });

  test('-q prints the sum alone', async () => {
    expect((await local.run(['prune', '-q'])).io.stdoutText()).toMatch(
      /^Total reclaimed space: .+\n$/,
    );
  });

  test('--json prints digests and bytes', async () => {
    const bytes = [...OLD.nodes.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    expect(JSON.parse((await local.run(['prune', '--json'])).io.stdoutText())).toMatchObject({
      deleted: { length: OLD.nodes.size },
      bytes,
      dryRun: false,
    });
  });

  test('notes content that it keeps because another program may be about to name it', async () => {
    const { bytes, descriptor } = makeBlob(1000);
    writeFileSync(blobPath(local.folder, descriptor.digest), bytes);
    expect((await local.run(['prune'])).io.stderrText()).toContain(
      'Kept 1.0 KiB without a name that are younger than ten minutes',
    );
  });

  test('does nothing without a local store', async () => {
    const { status, io } = await localImages().run(['prune']);
    expect([status, io.stdoutText()]).toEqual([0, 'Total reclaimed space: 0 B\n']);
  });

  test.each(['-f', '--force'])('takes docker’s %s, which changes nothing', async (option) => {
    expect((await localImages().run(['image', 'prune', option])).status).toBe(0);
  });

  test.each(['-a', '--all', '--filter'])(
    'refuses docker’s %s, and says what to do',
    async (option) => {
      const { status, io } = await local.run(['prune', option]);
      expect([status, io.stdoutText()]).toEqual([2, '']);
      expect(io.stderrText()).toMatch(/regi rmi/);
    },
  );
});
