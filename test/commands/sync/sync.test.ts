import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { runMain } from '../../support/cli/run-main.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { makeSigner, makeSimpleSigning, signatureTag } from '../../support/images/signatures.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const images = [1, 2, 3, 4].map((seed) => makeImage({ seed }));
const index = makeIndex({ seed: 9 });

interface Place {
  readonly from: FakeRegistry;
  readonly to: FakeRegistry;
  readonly cwd: string;
  readonly sync: (yaml: string, ...flags: readonly string[]) => ReturnType<typeof runMain>;
}

async function place(): Promise<Place> {
  const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
  const cwd = temporaryFolder('sync');
  const store = from.place.open('team/app');
  for (const [at, image] of images.entries()) await image.pushAll(store, `1.${at}.0`);
  await index.pushAll(store, 'all');
  return {
    from,
    to,
    cwd,
    sync: (yaml, ...flags) => {
      const text = yaml.replaceAll('FROM', from.host).replaceAll('TO', to.host);
      writeFileSync(join(cwd, 'mirror.yaml'), `version: 1\nimages:\n${text}\n`);
      return runMain(['sync', 'mirror.yaml', '--state', join(cwd, 'state'), ...flags], { cwd });
    },
  };
}

const APP = "  - { from: FROM/team/app, to: TO/mirror/app, tags: ['>=1.0', all] }";

describe('regi sync', () => {
  test('copies what is new, and asks for two lists and one digest a tag and side the next time', async () => {
    const { from, to, sync } = await place();
    const first = await sync(APP);
    expect({ status: first.status, stderr: first.stderr }).toMatchObject({ status: 0 });
    expect(first.stdout.trimEnd().split('\n').toSorted()).toEqual([
      ...images.map(({ root }, at) => `new ${to.host}/mirror/app:1.${at}.0@${root.digest}`),
      `new ${to.host}/mirror/app:all@${index.root.digest}`,
    ]);
    expect(first.stderr).toContain('5 images: 5 new;');
    from.forgetRequests();
    to.forgetRequests();
    const second = await sync(APP);
    expect(second).toMatchObject({ status: 0, stdout: '' });
    expect(second.stderr).toContain('5 images: 5 same; 0 B uploaded');
    const api = [...from.requests, ...to.requests].filter(({ kind }) => kind !== 'version');
    expect(api.map(({ method, kind }) => `${method} ${kind}`).toSorted()).toEqual([
      'GET tags',
      'GET tags',
      ...Array.from({ length: 10 }, () => 'HEAD manifest'),
    ]);
  });

  test('a moved tag is followed, kept or a failure, as the entry says', async () => {
    const { from, to, sync } = await place();
    await sync(APP);
    await images[3]?.pushAll(from.place.open('team/app'), '1.0.0');
    const entry = (moved: string): string =>
      `  - { from: FROM/team/app, to: TO/mirror/app, tags: ['1.0.0'], moved: ${moved} }`;
    const kept = await sync(entry('keep'));
    expect(kept).toMatchObject({
      status: 0,
      stdout: `kept ${to.host}/mirror/app:1.0.0@${images[0]?.root.digest}\n`,
    });
    const failed = await sync(entry('fail'));
    expect(failed).toMatchObject({ status: 8, stdout: '' });
    expect(failed.stderr).toContain('Cannot move');
    const followed = await sync(entry('follow'), '--json');
    expect(followed.status).toBe(0);
    expect(JSON.parse(followed.stdout)).toMatchObject({
      entry: 'TO/mirror/app'.replace('TO', to.host),
      source: `${from.host}/team/app:1.0.0`,
      destination: `${to.host}/mirror/app:1.0.0`,
      status: 'moved',
      digest: images[3]?.root.digest,
      previousDigest: images[0]?.root.digest,
    });
  });

  test('immutable tags in both lists are not asked for, unless --force says so', async () => {
    const { from, to, sync } = await place();
    const entry =
      "  - { from: FROM/team/app, to: TO/mirror/app, immutable: ['1.*'], tags: ['1.*'] }";
    await sync(entry);
    from.forgetRequests();
    to.forgetRequests();
    const second = await sync(entry, '--all');
    expect(second.stdout.split('\n').filter((line) => line.startsWith('same'))).toHaveLength(4);
    expect([from.count('HEAD'), to.count('HEAD')]).toEqual([0, 0]);
    await sync(entry, '--force');
    expect(from.count('HEAD', 'manifest')).toBeGreaterThan(3);
  });

  test('a missing name fails alone, too few tags fail the entry, an unknown repository fails', async () => {
    const { to, sync } = await place();
    const missing = await sync("  - { from: FROM/team/app, to: TO/a, tags: ['1.0.0', nope] }");
    expect(missing.status).toBe(8);
    expect(missing.stdout).toContain(`new ${to.host}/a:1.0.0@`);
    expect(missing.stderr).toContain('team/app:nope');
    const few = await sync("  - { from: FROM/team/app, to: TO/b, tags: ['1.*'], min: 9 }");
    expect(few).toMatchObject({ status: 8, stdout: '' });
    expect(few.stderr).toContain('expected at least 9 tags, found 4');
    const unknown = await sync('  - { from: FROM/team/none, to: TO/c }');
    expect(unknown).toMatchObject({ status: 8, stdout: '' });
  });

  test('a narrowed image costs no manifest the second time, and skips images without the platforms', async () => {
    const { from, to, sync } = await place();
    const entry =
      '  - { from: FROM/team/app, to: TO/mirror/app, tags: [all], platforms: [linux/amd64] }';
    const first = await sync(entry);
    expect(first.status).toBe(0);
    from.forgetRequests();
    to.forgetRequests();
    expect(await sync(entry)).toMatchObject({ status: 0, stdout: '' });
    expect([from.count('GET', 'manifest'), to.count('GET', 'manifest')]).toEqual([0, 0]);
    expect(to.count('PUT')).toBe(0);
    const other = entry.replace('linux/amd64', 'linux/mips64le');
    const skipped = await sync(other);
    expect(skipped).toMatchObject({ status: 0 });
    expect(skipped.stdout).toMatch(/^skipped /);
    const required = await sync(other.replace(' }', ', requirePlatforms: true }'));
    expect(required.status).toBe(8);
  });

  test('sparse keeps the index and brings the children of the platforms', async () => {
    const { to, sync } = await place();
    const entry =
      '  - { from: FROM/team/app, to: TO/mirror/app, tags: [all], platforms: [linux/amd64], sparse: true, referrers: false }';
    const { status, stdout, stderr } = await sync(entry);
    if (status === 0) expect(stdout).toBe(`new ${to.host}/mirror/app:all@${index.root.digest}\n`);
    else expect(stderr).toContain('sparse');
  });

  test('a dry run writes nothing and prints the same lines', async () => {
    const { to, sync } = await place();
    const plan = await sync(APP, '--dry-run');
    expect(plan.status).toBe(0);
    expect([to.count('PUT'), to.count('POST'), to.count('PATCH')]).toEqual([0, 0, 0]);
    expect(plan.stderr).toContain('5 tags found; 5 selected');
    expect(plan.stderr).toContain('dry run: 5 images: 5 new;');
    const run = await sync(APP);
    expect(run.stdout.split('\n').toSorted()).toEqual(plan.stdout.split('\n').toSorted());
    const heads = await sync(APP.replace('mirror/app', 'other'), '--dry-run', '--heads', '--json');
    expect(heads.stdout).not.toContain('bytes');
  });

  test('a wildcard takes every repository below, and a refused catalog is a failure', async () => {
    const { from, to, sync } = await place();
    await images[0]?.pushAll(from.place.open('team/deep/tool'), 'v1');
    await images[0]?.pushAll(from.place.open('other/tool'), 'v1');
    const entry = '  - { from: FROM/team/**, to: "TO/m/{rest}", tags: [v1, \'1.0.0\'] }';
    const { stdout } = await sync(entry.replace(", tags: [v1, '1.0.0']", ", tags: ['[v1]*']"));
    expect(stdout).toContain(`new ${to.host}/m/deep/tool:v1@`);
    expect(stdout).toContain(`new ${to.host}/m/app:1.0.0@`);
    expect(stdout).not.toContain('other');
    from.fault({
      match: { path: /_catalog/ },
      times: 9,
      action: { kind: 'respond', status: 405, body: '{}' },
    });
    expect(await sync(entry)).toMatchObject({ status: 8, stdout: '' });
  });

  test('looks for referrers of many images with one request where the registry keeps them in tags', async () => {
    const { from, to, sync } = await place();
    from.fault({
      match: { path: /\/referrers\// },
      times: 999,
      action: { kind: 'respond', status: 404, body: '404 page not found' },
    });
    const [image] = images;
    if (image === undefined) throw new Error('There are images');
    const signature = makeSimpleSigning(image.root, makeSigner());
    await signature.pushTo(from.place.open('team/app'), signatureTag(image.root));
    const first = await sync(APP);
    expect(first, first.stderr).toMatchObject({ status: 0 });
    const about = (text: RegExp) => from.requests.filter(({ url }) => text.test(url));
    expect(about(/\/referrers\//)).toHaveLength(1);
    expect(new Set(about(/sha256-/).map(({ url }) => url))).toEqual(
      new Set([`/v2/team/app/manifests/${signatureTag(image.root)}`]),
    );
    const copied = await to.place.open('mirror/app').resolve(signatureTag(image.root));
    expect(copied.digest).toBe(signature.root.digest);
  });

  test('asks for referrers of each image where the registry has the API', async () => {
    const { from, sync } = await place();
    expect(await sync(APP)).toMatchObject({ status: 0 });
    const subjects = from.requests.filter(({ url }) => url.includes('/referrers/'));
    // Four images, and an index with two.
    expect(subjects).toHaveLength(7);
    expect(from.requests.some(({ url }) => url.endsWith('.sig'))).toBe(true);
  });

  test('one tag from two sources fails before anything is written there', async () => {
    const { from, to, sync } = await place();
    await images[1]?.pushAll(from.place.open('team/two'), '1.0.0');
    const { status, stderr } = await sync(
      "  - { from: FROM/team/app, to: TO/x, tags: ['1.*'] }\n" +
        "  - { name: two, from: FROM/team/two, to: TO/x, tags: ['1.*'] }",
    );
    expect(status).toBe(8);
    expect(stderr).toContain('expected one source');
    expect(to.count('PUT')).toBe(0);
  });

  test('names and globs choose entries; a name that matches none is a mistake', async () => {
    const { sync } = await place();
    const two = `${APP}\n  - { name: second, from: FROM/team/app, to: TO/second, tags: [all] }`;
    expect((await sync(two, 'sec*')).stdout).toMatch(/^new \S+\/second:all@\S+\n$/);
    expect((await sync(two, 'third')).status).toBe(2);
    expect((await sync('  - { from: mirror/x, to: TO/y }', '--validate')).status).toBe(2);
    expect(await sync(two, '--validate')).toMatchObject({ status: 0, stdout: '' });
    expect((await sync(two, '--src-creds', 'u:env:X')).status).toBe(2);
  });
});
