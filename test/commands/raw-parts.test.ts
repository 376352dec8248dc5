import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { systemClock } from '../../src/clock.ts';
import { createMemoryPlace } from '../../src/stores/memory.ts';
import { openLayout } from '../../src/stores/layout/oci-layout.ts';
import type { Place } from '../../src/store.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { makeBlob, makeImage } from '../support/images/images.ts';
import { runMain, type MainResult, type RunMainOptions } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const IMAGE = makeImage();
const MANIFEST = Buffer.from(IMAGE.nodes.get(IMAGE.root.digest)?.bytes ?? []);

let cwd: string;
let place: Place;
let registry: FakeRegistry;

beforeAll(() => {
  cwd = temporaryFolder('raw');
  writeFileSync(join(cwd, 'manifest.json'), MANIFEST);
});

beforeEach(async () => {
  place = createMemoryPlace();
  await IMAGE.pushAll(place.open('team/app'), '1');
  registry = await startFakeRegistry({ place });
});

function run(argv: readonly string[], options: RunMainOptions = {}): Promise<MainResult> {
  return runMain(argv, { cwd, ...options });
}

describe('manifest put', () => {
  test('manifest put gives a manifest a tag, byte for byte, and prints its digest', async () => {
    const name = `${registry.host}/team/app`;
    expect(await run(['manifest', 'put', `${name}:2`, 'manifest.json'])).toMatchObject({
      status: 0,
      stdout: `${name}@${IMAGE.root.digest}\n`,
      stderr: '',
    });
    expect((await run(['manifest', 'get', `${name}:2`])).stdout).toBe(MANIFEST.toString());
  });

  test('manifest put reads standard input', async () => {
    expect(
      await run(['manifest', 'put', `${registry.host}/team/app:3`, '-'], {
        stdin: MANIFEST.toString(),
      }),
    ).toMatchObject({ status: 0 });
    expect((await place.open('team/app').resolve('3')).digest).toBe(IMAGE.root.digest);
  });

  test('manifest put by digest makes no tag', async () => {
    const { stdout } = await run([
      'manifest',
      'put',
      '--json',
      `${registry.host}/team/app@${IMAGE.root.digest}`,
      'manifest.json',
    ]);
    expect(JSON.parse(stdout)).toEqual({
      name: `${registry.host}/team/app`,
      digest: IMAGE.root.digest,
      mediaType: IMAGE.root.mediaType,
      size: MANIFEST.byteLength,
    });
    await expect(place.open('team/app').resolve('latest')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('manifest put refuses another digest than the name says, and sends nothing', async () => {
    const other = makeImage({ seed: 9 }).root.digest;
    expect(
      (await run(['manifest', 'put', `${registry.host}/team/app@${other}`, 'manifest.json']))
        .status,
    ).toBe(7);
    expect(registry.count('PUT')).toBe(0);
  });

  test('manifest put refuses a manifest whose blobs the layout lacks', async () => {
    await openLayout(join(cwd, 'empty'), { create: true, clock: systemClock });
    const { status, stderr } = await run(['manifest', 'put', 'oci:empty:1', 'manifest.json']);
    expect(status).toBe(3);
    expect(stderr).toMatch(
      /^regi: Cannot put the manifest into "oci:empty": 3 blobs of it are missing, such as sha256:\w+\n {2}put them first: regi blob put oci:empty FILE\n$/,
    );
  });

  test('manifest put quotes a registry that misses content', async () => {
    const { status, stderr } = await run([
      'manifest',
      'put',
      `${registry.host}/other/app:1`,
      'manifest.json',
    ]);
    expect(status).not.toBe(0);
    expect(stderr).toContain('BLOB_UNKNOWN');
  });

  test.each([
    [
      'what is no manifest',
      'text.json',
      '"hello"',
      7,
      /Cannot read manifest: expected a JSON object/,
    ],
    ['what is no JSON', 'text.txt', 'hello', 7, /Cannot read manifest: expected JSON/],
  ])('manifest put refuses %s', async (_, path, content, status, message) => {
    writeFileSync(join(cwd, path), content);
    const found = await run(['manifest', 'put', `${registry.host}/team/app:x`, path]);
    expect(found.status).toBe(status);
    expect(found.stderr).toMatch(message);
  });

  test('manifest put names a missing file', async () => {
    expect(
      await run(['manifest', 'put', `${registry.host}/team/app:x`, 'gone.json']),
    ).toMatchObject({
      status: 3,
      stderr: `regi: Cannot read "${join(cwd, 'gone.json')}": there is no such file\n  check the spelling of the path\n`,
    });
  });
});

describe('blob put', () => {
  const BLOB = makeBlob(200_000);

  test('blob put puts a file, and prints where it is', async () => {
    writeFileSync(join(cwd, 'blob'), BLOB.bytes);
    const name = `${registry.host}/team/app`;
    expect(await run(['-q', 'blob', 'put', name, 'blob'])).toMatchObject({
      status: 0,
      stdout: `${name}@${BLOB.descriptor.digest}\n`,
      stderr: '',
    });
    expect(await place.open('team/app').exists(BLOB.descriptor)).toBe(true);
  });

  test('blob put reads standard input', async () => {
    const { status, stdout } = await run(['blob', 'put', `${registry.host}/team/app`, '-'], {
      stdin: 'hello',
    });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${registry.host}/team/app@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n`,
    });
  });

  test('blob put sends no existing blob', async () => {
    const { stdout } = await run(['blob', 'put', '--json', `${registry.host}/team/app`, '-'], {
      stdin: '{}',
    });
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'copied', size: 2 });
    registry.forgetRequests();
    const again = await run(['blob', 'put', '--json', `${registry.host}/team/app`, '-'], {
      stdin: '{}',
    });
    expect(JSON.parse(again.stdout)).toMatchObject({ outcome: 'unchanged' });
    expect([registry.count('POST'), registry.count('PUT')]).toEqual([0, 0]);
  });

  test('blob put wants a repository, not an image', async () => {
    expect((await run(['blob', 'put', `${registry.host}/team/app:1`, 'blob'])).status).toBe(2);
  });

  test('blob put and manifest put make an image in a layout', async () => {
    for (const { descriptor, bytes } of IMAGE.nodes.values()) {
      if (descriptor.digest === IMAGE.root.digest) continue;
      writeFileSync(join(cwd, 'part'), bytes);
      expect((await run(['blob', 'put', 'oci:made', 'part'])).stdout).toBe(
        `oci:made@${descriptor.digest}\n`,
      );
    }
    expect((await run(['manifest', 'put', 'oci:made:1', 'manifest.json'])).stdout).toBe(
      `oci:made@${IMAGE.root.digest}\n`,
    );
    expect((await run(['verify', 'oci:made:1'])).status).toBe(0);
  });
});
