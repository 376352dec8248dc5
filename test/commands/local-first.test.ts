import { existsSync, readFileSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { createMemoryPlace, type MemoryPlace } from '../../src/stores/memory.ts';
import { makeImage } from '../support/images/images.ts';
import { localImages, type LocalImages } from '../support/images/local-images.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const LOCAL = makeImage({ seed: 1 });
const REMOTE = makeImage({ seed: 2 });

/** A machine without a network. */
const NO_NAMES: LookupFunction = (_name, _options, callback) =>
  callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []);

let place: MemoryPlace;
let registry: FakeRegistry;
let local: LocalImages;
let image: string;

beforeEach(async () => {
  place = createMemoryPlace();
  await REMOTE.pushAll(place.open('team/other'), '1');
  registry = await startFakeRegistry({ place });
  local = localImages();
  image = `${registry.host}/team/app:1`;
  await local.keep(LOCAL, image);
});

describe('D2: an image that only the local store has', () => {
  test.each([
    [['digest']],
    [['inspect']],
    [['history']],
    [['config']],
    [['manifest', 'get']],
    [['inspect', '--raw']],
    [['files']],
    [['cat', '/etc/passwd']],
    [['rootfs', '-o', 'rootfs.tar']],
    [['diff', '--no-files']],
    [['export', '-o', 'out.tar']],
  ])('regi %s uses it, and says so', async ([command = '', ...rest]) => {
    const cwd = temporaryFolder('cwd');
    const isTwo = command === 'diff';
    const argv =
      command === 'manifest'
        ? ['manifest', 'get', image]
        : [command, image, ...(isTwo ? [image] : []), ...rest];
    const { status, io } = await local.run(argv, { cwd });
    expect(io.stderrText()).toContain(`Using "${image}" from the local store: Cannot resolve`);
    // The image has no such file, which shows that its layers were read.
    expect(status).toBe(command === 'cat' ? 3 : 0);
  });

  test('regi digest uses it when the registry cannot be reached', async () => {
    await local.keep(LOCAL, '127.0.0.1:1/team/app:1');
    const { status, io } = await local.run(['digest', '--retry', '0', '127.0.0.1:1/team/app:1']);
    expect([status, io.stdoutText()]).toEqual([0, `${LOCAL.root.digest}\n`]);
    expect(io.stderrText()).toMatch(
      /^Using "127\.0\.0\.1:1\/team\/app:1" from the local store: Cannot /m,
    );
  });

  test('regi digest prints the image of the registry when both have one, and notes nothing', async () => {
    await REMOTE.pushAll(place.open('team/app'), '1');
    const { io } = await local.run(['digest', image]);
    expect([io.stdoutText(), io.stderrText()]).toEqual([`${REMOTE.root.digest}\n`, '']);
  });

  test('regi digest prints it for its image id', async () => {
    const id = LOCAL.config.digest.slice(7, 19);
    const { io } = await local.run(['digest', '--retry', '0', id], { lookup: NO_NAMES });
    expect(io.stdoutText()).toBe(`${LOCAL.root.digest}\n`);
  });

  test('docker:// never means the local store', async () => {
    const { status, io } = await local.run(['digest', `docker://${image}`]);
    expect([status, io.stdoutText()]).toEqual([3, '']);
    expect(io.stderrText()).not.toContain('local store');
  });

  test('local: means it without a request and without a note', async () => {
    registry.forgetRequests();
    const { io } = await local.run(['digest', `local:${image}`]);
    expect([io.stdoutText(), io.stderrText()]).toEqual([`${LOCAL.root.digest}\n`, '']);
    expect(registry.requests).toEqual([]);
  });

  test.each([[['save']], [['image', 'save']]])(
    'regi %s takes it before the image of the registry, as docker does',
    async (words) => {
      await REMOTE.pushAll(place.open('team/app'), '1');
      registry.forgetRequests();
      const cwd = temporaryFolder('cwd');
      const { status, io } = await local.run([...words, image, '-o', 'out.tar'], { cwd });
      expect([status, registry.requests]).toEqual([0, []]);
      expect(io.stderrText()).toContain(`Using "${image}" from the local store`);
      expect(io.stdoutText()).toContain(LOCAL.root.digest);
      expect(readFileSync(join(cwd, 'out.tar')).length).toBeGreaterThan(0);
    },
  );

  test('regi export takes the image of the registry where both have one', async () => {
    await REMOTE.pushAll(place.open('team/app'), '1');
    const { io } = await local.run(['export', image, '-o', 'out.tar']);
    expect(io.stdoutText()).toContain(REMOTE.root.digest);
  });

  test('a missing local store is not created', async () => {
    const folder = join(temporaryFolder('data'), 'new');
    const { status } = await local.run(['digest', `${registry.host}/team/other:1`], {
      env: { REGI_DATA: folder },
    });
    expect([status, existsSync(folder)]).toEqual([0, false]);
  });

  test('a local store that cannot be read does not stop a command on a registry', async () => {
    const file = join(temporaryFolder('data'), 'file');
    const { status } = await local.run(['digest', `${registry.host}/team/other:1`], {
      env: { REGI_DATA: file },
    });
    expect(status).toBe(0);
  });
});
