import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import type { Digest } from '../../../src/oci/digest.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { realClock } from '../../support/clock.ts';
import { makeImage, makeIndex, type TestImage } from '../../support/images/images.ts';
import { blobPath } from '../../support/images/layout-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const image = makeImage({ layers: [1000, 2000] });
const twin = makeImage({ layers: [1000, 2000], annotations: { note: 'the same layers' } });
const index = makeIndex({ seed: 5 });

let cwd: string;

beforeEach(async () => {
  cwd = temporaryFolder('prove');
  const source = await openLayout(join(cwd, 'src'), { create: true, clock: realClock });
  await image.pushAll(source, 'a');
  await twin.pushAll(source, 'b');
  await index.pushAll(source, 'all');
});

function regi(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd });
}

function flip(digest: Digest): void {
  const path = blobPath(join(cwd, 'dst'), digest);
  const bytes = readFileSync(path);
  bytes[0] = 255 - (bytes[0] ?? 0);
  writeFileSync(path, bytes);
}

function digestsOf({ nodes }: TestImage): readonly Digest[] {
  return [...nodes.keys()];
}

describe('copy into a layout with a damaged blob', () => {
  for (const option of ['--force', '--verify-existing']) {
    test(`A6: ${option} mends each kind of node below a tag that matches`, async () => {
      for (const [tag, made] of [
        ['a', image],
        ['all', index],
      ] as const) {
        await regi('copy', `oci:src:${tag}`, `oci:dst:${tag}`);
        for (const digest of digestsOf(made)) flip(digest);
        const copied = await regi('copy', option, `oci:src:${tag}`, `oci:dst:${tag}`);
        expect([copied.status, copied.stderr]).toEqual([0, expect.any(String)]);
        expect((await regi('verify', `oci:dst:${tag}`)).status).toBe(0);
      }
    });

    test(`A6: ${option} replaces a damaged layer before a new image that shares it gets its tag`, async () => {
      await regi('copy', 'oci:src:a', 'oci:dst:a');
      const [layer] = image.layers;
      flip(layer?.digest ?? image.config.digest);
      expect((await regi('copy', option, 'oci:src:b', 'oci:dst:b')).status).toBe(0);
      expect((await regi('verify', 'oci:dst')).status).toBe(0);
    });
  }

  test('A6: a damaged layer that the source has lost gives no tag', async () => {
    await regi('copy', 'oci:src:a', 'oci:dst:a');
    const [layer] = image.layers;
    flip(layer?.digest ?? image.config.digest);
    const source = blobPath(join(cwd, 'src'), layer?.digest ?? image.config.digest);
    writeFileSync(source, 'short');
    const { status } = await regi('copy', '--verify-existing', 'oci:src:b', 'oci:dst:b');
    expect(status).toBe(7);
    expect((await regi('tags', 'list', 'oci:dst')).stdout).toBe('a\n');
  });

  test('A6: a dry run with --force counts what would be mended and changes nothing', async () => {
    await regi('copy', 'oci:src:a', 'oci:dst:a');
    const [layer] = image.layers;
    flip(layer?.digest ?? image.config.digest);
    const { status } = await regi('copy', '--force', '--dry-run', 'oci:src:a', 'oci:dst:a');
    expect(status).toBe(0);
    expect((await regi('verify', 'oci:dst')).status).toBe(7);
  });

  test('A6: a plain copy reads nothing that is there', async () => {
    await regi('copy', 'oci:src:a', 'oci:dst:a');
    const [layer] = image.layers;
    flip(layer?.digest ?? image.config.digest);
    expect((await regi('copy', 'oci:src:b', 'oci:dst:b')).status).toBe(0);
    expect((await regi('verify', 'oci:dst')).status).toBe(7);
  });
});
