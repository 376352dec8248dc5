import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { encodedOf } from '../../src/oci/digest.ts';
import { startFakeRegistry } from '../support/registries/fake-registry.ts';
import { makeImage } from '../support/images/images.ts';
import { runMain } from '../support/cli/run-main.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const image = makeImage();
const [layer] = image.layers;
const LAYER = encodedOf(layer?.digest ?? image.root.digest);

/** A layout with an image, and where its blobs are. */
async function layout(): Promise<{ folder: string; blobs: string; host: string }> {
  const registry = await startFakeRegistry();
  await image.pushAll(registry.place.open('app'), 'v1');
  const folder = join(temporaryFolder('layout'), 'images');
  expect((await runMain(['copy', `${registry.host}/app:v1`, `oci:${folder}:v1`])).status).toBe(0);
  return { folder, blobs: join(folder, 'blobs', 'sha256'), host: registry.host };
}

describe('a hostile layout', () => {
  test('lay-symlink: a blob that is a symbolic link is not read', async () => {
    const { folder, blobs, host } = await layout();
    const secret = join(temporaryFolder('secret'), 'secret');
    renameSync(join(blobs, LAYER), secret);
    symlinkSync(secret, join(blobs, LAYER));
    const { status, stdout, stderr } = await runMain([
      'copy',
      `oci:${folder}:v1`,
      `${host}/stolen:v1`,
    ]);
    expect({ isRefused: status !== 0, stdout }).toEqual({ isRefused: true, stdout: '' });
    expect(stderr).toContain('symbolic link');
  });

  test('lay-symlink: nothing is read or written through a "blobs" that is a symbolic link', async () => {
    const { folder, blobs, host } = await layout();
    const elsewhere = join(temporaryFolder('elsewhere'), 'sha256');
    renameSync(blobs, elsewhere);
    symlinkSync(elsewhere, blobs);
    expect((await runMain(['copy', `oci:${folder}:v1`, `${host}/stolen:v1`])).status).not.toBe(0);
    const before = readdirSync(elsewhere);
    rmSync(join(elsewhere, LAYER));
    expect(
      (await runMain(['copy', '--force', `${host}/app:v1`, `oci:${folder}:v1`])).status,
    ).not.toBe(0);
    expect(readdirSync(elsewhere)).toEqual(before.filter((name) => name !== LAYER));
  });

  test('lay-fifo: a blob that is a pipe is refused, and not waited for', async () => {
    const { folder, blobs, host } = await layout();
    rmSync(join(blobs, LAYER));
    execFileSync('mkfifo', [join(blobs, LAYER)]);
    expect(await runMain(['copy', `oci:${folder}:v1`, `${host}/stolen:v1`])).toMatchObject({
      stdout: '',
    });
    rmSync(join(folder, 'index.json'));
    execFileSync('mkfifo', [join(folder, 'index.json')]);
    const { status, stdout } = await runMain(['tags', 'list', `oci:${folder}`]);
    expect({ isRefused: status !== 0, stdout }).toEqual({ isRefused: true, stdout: '' });
  });

  test('lay-crash: partial files of a killed process are not read and do not disturb', async () => {
    const { folder, blobs, host } = await layout();
    rmSync(join(blobs, LAYER));
    writeFileSync(join(blobs, `.${LAYER}.tmp`), 'half of');
    writeFileSync(join(folder, 'index.json.tmp'), '{"schemaVersion":2,"mani');
    mkdirSync(join(folder, 'blobs', 'sha512'));
    expect((await runMain(['copy', `oci:${folder}:v1`, `${host}/broken:v1`])).status).toBe(3);

    expect((await runMain(['copy', '--force', `${host}/app:v1`, `oci:${folder}:v1`])).status).toBe(
      0,
    );
    expect((await runMain(['copy', `oci:${folder}:v1`, `${host}/whole:v1`])).status).toBe(0);
  });
});
