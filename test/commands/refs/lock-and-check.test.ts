import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { main } from '../../../src/main.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { folderWith, pod, runRefs as run } from '../../support/cli/refs.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';

let registry: FakeRegistry;
let digest: string;

beforeAll(async () => {
  const place = createMemoryPlace();
  const image = makeImage();
  await image.pushAll(place.open('team/app'), '1');
  digest = image.root.digest;
  registry = await startFakeRegistry({ place });
});

describe('regi refs lock', () => {
  test('pins each image with one line', async () => {
    const cwd = folderWith({ 'pod.yaml': pod(`${registry.host}/team/app:1`) });
    const { status, stdout } = await run(cwd, ['lock']);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${registry.host}/team/app:1@${digest}\n`,
    });
  });

  test('writes a lock that copy --from reads', async () => {
    const cwd = folderWith({ 'pod.yaml': pod(`${registry.host}/team/app:1`) });
    expect((await run(cwd, ['lock', '--sizes', '-o', 'images.lock'])).status).toBe(0);
    expect(readFileSync(join(cwd, 'images.lock'), 'utf8')).toMatch(
      new RegExp(`^# regi refs lock.*\n${registry.host}/team/app:1@${digest} bytes=\\d+`),
    );
    const io = fakeIo({ cwd });
    expect(await main(['copy', '--from', 'images.lock', `${registry.host}/mirror`], io)).toBe(0);
    expect(io.stdoutText()).toContain(`${registry.host}/mirror/team/app`);
  });

  test('writes no lock that lacks an image, and names the place', async () => {
    const cwd = folderWith({
      'pod.yaml': pod(`${registry.host}/team/app:1`, `${registry.host}/team/none:1`),
    });
    const { status, stderr } = await run(cwd, ['lock', '-o', 'images.lock']);
    expect(status).toBe(8);
    expect(stderr).toContain('pod.yaml:6:14: ');
    expect(stderr).toContain('no lock is complete without them');
    expect(() => readFileSync(join(cwd, 'images.lock'))).toThrow('ENOENT');
  });

  test('--frozen writes nothing, and ends with 7 when a tag moved', async () => {
    const cwd = folderWith({ 'pod.yaml': pod(`${registry.host}/team/app:1`) });
    await run(cwd, ['lock', '-o', 'images.lock']);
    expect((await run(cwd, ['lock', '--frozen', '-o', 'images.lock'])).status).toBe(0);
    const old = `${registry.host}/team/app:1@sha256:${'0'.repeat(64)}\n`;
    writeFileSync(join(cwd, 'images.lock'), old);
    const { status, stderr } = await run(cwd, ['lock', '--frozen', '-o', 'images.lock']);
    expect(status).toBe(7);
    expect(stderr).toContain(digest);
    expect(readFileSync(join(cwd, 'images.lock'), 'utf8')).toBe(old);
  });
});

describe('regi refs check', () => {
  test('--platform requires the platform, and that the index is not narrowed', async () => {
    const place = createMemoryPlace();
    const index = makeIndex();
    await index.pushAll(place.open('team/wide'), '1');
    const wide = await startFakeRegistry({ place });
    const cwd = folderWith({ 'pod.yaml': pod(`${wide.host}/team/wide:1`) });
    const args = ['check', '--platform'];
    expect((await run(cwd, [...args, 'linux/amd64'])).status).toBe(0);
    expect(await run(cwd, [...args, 'linux/s390x'])).toMatchObject({
      status: 3,
      stdout: `missing ${wide.host}/team/wide:1 linux/s390x (pod.yaml:5:14)\n`,
      stderr: expect.stringContaining('push them, or correct the names in the files'),
    });
    await place.open('team/wide').delete(index.images[1]?.root ?? index.root);
    expect((await run(cwd, [...args, 'linux/arm64'])).status).toBe(3);
  });

  test('keeps the digest in the line that copies an image without a tag', async () => {
    const name = `${registry.host}/team/app@${digest}`;
    const cwd = folderWith({ 'pod.yaml': pod(name) });
    const { status, stdout, stderr } = await run(cwd, ['check', '--in', `${registry.host}/none`]);
    expect(status).toBe(3);
    expect(stdout).toContain(`  regi copy ${name} ${registry.host}/none/team/app@${digest}\n`);
    expect(stderr).toContain('a mirror that keeps some platforms only has no pinned index');
  });

  test('finds every image, or ends with 3 and the line that copies it', async () => {
    const cwd = folderWith({ 'pod.yaml': pod(`${registry.host}/team/app:1`) });
    const there = await run(cwd, ['check']);
    expect({ status: there.status, stdout: there.stdout }).toEqual({
      status: 0,
      stdout: `ok ${registry.host}/team/app:1 (pod.yaml:5:14)\n`,
    });
    const missing = await run(cwd, ['check', '--in', `${registry.host}/absent`]);
    expect(missing.status).toBe(3);
    expect(missing.stdout).toContain(
      `  regi copy ${registry.host}/team/app:1 ${registry.host}/absent/team/app:1\n`,
    );
  });

  test('ends with 9 when the policy refuses an image that is there', async () => {
    const key = readFileSync(join(import.meta.dirname, '../../tables/trust/keys/p256.pub'), 'utf8');
    const cwd = folderWith({ 'pod.yaml': pod(`${registry.host}/team/app:1`), 'cosign.pub': key });
    const { status, stdout, stderr } = await run(cwd, ['check', '--key', 'cosign.pub', 'pod.yaml']);
    expect(status).toBe(9);
    expect(stderr).toMatch(/^regi: warning: pod\.yaml:5:14: Cannot accept/);
    expect(stdout).toBe(`refused ${registry.host}/team/app:1 (pod.yaml:5:14)\n`);
  });

  test('ends with 7 when a tag has another digest than the file pins', async () => {
    const pinned = `${registry.host}/team/app:1@sha256:${'0'.repeat(64)}`;
    const { status, stdout } = await run(folderWith({ 'pod.yaml': pod(pinned) }), ['check']);
    expect(status).toBe(7);
    expect(stdout).toContain('other ');
  });
});
