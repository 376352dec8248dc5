import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { runMain } from '../../support/cli/run-main.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { makeSigner, makeSimpleSigning, signatureTag } from '../../support/images/signatures.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const images = [1, 2, 3].map((seed) => makeImage({ seed }));
const index = makeIndex({ seed: 9 });
/** An image that shares its first layer with no other. */
const later = makeImage({ seed: 20 });

interface Place {
  readonly from: FakeRegistry;
  readonly to: FakeRegistry;
  readonly cwd: string;
  readonly sync: (images: string, ...flags: readonly string[]) => ReturnType<typeof runMain>;
  readonly run: (...args: readonly string[]) => ReturnType<typeof runMain>;
}

async function place(): Promise<Place> {
  const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
  const cwd = temporaryFolder('sync');
  for (const [at, image] of images.entries())
    await image.pushAll(from.place.open('team/app'), `1.${at}`);
  await index.pushAll(from.place.open('team/tool'), 'v1');
  const env = { REGI_DATA: join(cwd, 'store') };
  const run: Place['run'] = (...args) => runMain(args, { cwd, env });
  return {
    from,
    to,
    cwd,
    run,
    sync: (yaml, ...flags) => {
      const text = yaml.replaceAll('FROM', from.host).replaceAll('TO', to.host);
      writeFileSync(join(cwd, 'mirror.yaml'), `version: 1\nimages:\n${text}\n`);
      return run('sync', 'mirror.yaml', '--state', join(cwd, 'state'), ...flags);
    },
  };
}

const lines = (text: string): readonly string[] => text.trimEnd().split('\n').toSorted();

describe('regi sync with archives', () => {
  const BOTH =
    "  - { name: app, from: FROM/team/app, to: 'archive:out.tar' }\n" +
    "  - { name: tool, from: FROM/team/tool, to: 'archive:./out.tar', platforms: [linux/amd64] }";

  test('entries with one path make one archive of full names, anew in each run', async () => {
    const { from, cwd, sync, run } = await place();
    const plan = await sync(BOTH, '--dry-run');
    expect(plan).toMatchObject({ status: 0 });
    expect(existsSync(join(cwd, 'out.tar'))).toBe(false);
    const first = await sync(BOTH);
    expect(first).toMatchObject({ status: 0, stdout: plan.stdout });
    expect(lines(first.stdout).slice(0, 3)).toEqual(
      images.map(
        ({ root }, at) => `new archive:out.tar:${from.host}/team/app:1.${at}@${root.digest}`,
      ),
    );
    expect(first.stdout).toContain(`new archive:out.tar:${from.host}/team/tool:v1@`);
    expect(first.stderr).toContain('4 images: 4 new;');
    const listed = await run('tags', 'list', 'archive:out.tar');
    expect(lines(listed.stdout)).toEqual(['1.0', '1.1', '1.2', 'v1']);
    const bytes = readFileSync(join(cwd, 'out.tar'));
    expect((await sync(BOTH)).stdout).toBe(first.stdout);
    expect(readFileSync(join(cwd, 'out.tar')).equals(bytes)).toBe(true);
  });

  test('an image that fails is left out and named; the old file stays where all fail', async () => {
    const { from, cwd, sync, run } = await place();
    const mixed = `${BOTH}\n  - { from: FROM/none, to: 'archive:out.tar' }`;
    const partial = await sync(mixed);
    expect(partial.status).toBe(8);
    expect(lines(partial.stdout)).toHaveLength(4);
    const written = readFileSync(join(cwd, 'out.tar'));
    from.fault({
      match: {
        method: 'GET',
        path: new RegExp(`app/manifests/(?:1\\.0|${images[0]?.root.digest})$`),
      },
      times: 99,
      action: { kind: 'respond', status: 404, body: '{}' },
    });
    const lacking = await sync(BOTH);
    expect(lacking.status).toBe(8);
    expect(lines(lacking.stdout)).toHaveLength(3);
    expect((await run('tags', 'list', 'archive:out.tar')).stdout).not.toContain('1.0');
    writeFileSync(join(cwd, 'out.tar'), written);
    const none = await sync("  - { from: FROM/none, to: 'archive:out.tar' }");
    expect(none).toMatchObject({ status: 8, stdout: '' });
    expect(readFileSync(join(cwd, 'out.tar')).equals(written)).toBe(true);
  });

  test('since leaves out layers of the list, and the other side finds them', async () => {
    const { from, to, cwd, sync, run } = await place();
    const whole = "  - { from: FROM/team/app, to: 'archive:first.tar', writeList: have.json }";
    const delta =
      "  - { from: FROM/team/*, to: 'archive:second.tar', tags: ['2.*'], since: have.json, writeList: next.json }";
    expect((await sync(whole)).status).toBe(0);
    // Its layers are those of an image in another repository.
    await images[0]?.pushAll(from.place.open('team/other'), '2.0');
    await later.pushAll(from.place.open('team/app'), '2.0');
    const second = await sync(delta);
    expect(second).toMatchObject({ status: 0 });
    const list = readFileSync(join(cwd, 'have.json'), 'utf8');
    expect(readFileSync(join(cwd, 'next.json'), 'utf8').length).toBeGreaterThan(list.length);
    const load = (file: string): ReturnType<Place['sync']> =>
      sync(`  - { from: 'archive:${file}', to: 'TO/in/{repository}' }`);
    const refused = await load('second.tar');
    expect(refused.status).toBe(8);
    expect(refused.stderr).toContain('leaves out');
    expect(refused.stdout).toBe(`new ${to.host}/in/team/app:2.0@${later.root.digest}\n`);
    expect((await load('first.tar')).status).toBe(0);
    const loaded = await load('second.tar');
    expect(loaded).toMatchObject({ status: 0 });
    expect(loaded.stdout).toBe(`new ${to.host}/in/team/other:2.0@${images[0]?.root.digest}\n`);
    expect(await run('verify', `${to.host}/in/team/other:2.0`)).toMatchObject({ status: 0 });
  });

  test('from an archive every image goes to its own name', async () => {
    const { to, sync } = await place();
    await sync(BOTH);
    const entry =
      "  - { from: 'archive:out.tar', to: 'TO/{rest}', repositories: ['!*/tool'], tags: ['>=1.1'] }";
    const loaded = await sync(entry);
    expect(loaded).toMatchObject({ status: 0 });
    expect(lines(loaded.stdout)).toEqual(
      [1, 2].map((at) => `new ${to.host}/team/app:1.${at}@${images[at]?.root.digest}`),
    );
    expect(await sync(entry)).toMatchObject({ status: 0, stdout: '' });
    const missing = await sync("  - { from: 'archive:none.tar', to: 'TO/{rest}' }");
    expect(missing).toMatchObject({ status: 8, stdout: '' });
  });

  test.each(['archive:out.tar', 'oci:dir', 'local:'])(
    'an entry of one image of %s finds its signature, which has a tag of its own',
    async (text) => {
      const { from, to, cwd, sync, run } = await place();
      const [image] = images;
      if (image === undefined) throw new Error('There are images');
      const signer = makeSigner();
      writeFileSync(join(cwd, 'cosign.pub'), signer.pem);
      const tag = signatureTag(image.root);
      await makeSimpleSigning(image.root, signer).pushTo(from.place.open('team/app'), tag);
      const policy = '\npolicies: { ours: { key: cosign.pub } }';
      expect(
        await sync(`  - { from: FROM/team/app, to: '${text}', tags: ['1.0', '1.1'] }${policy}`),
      ).toMatchObject({ status: 0 });
      const name = text === 'local:' ? 'local:' : `${text}:`;
      const one = `  - { from: '${name}FROM/team/app:1.0', to: TO/back/app, verify: ours }${policy}`;
      const back = await sync(one);
      expect(back, back.stderr).toMatchObject({
        status: 0,
        stdout: `new ${to.host}/back/app:1.0@${image.root.digest}\n`,
      });
      const argv = ['verify', '--signatures', '--key', 'cosign.pub', `${to.host}/back/app:1.0`];
      expect(await run(...argv)).toMatchObject({ status: 0 });
    },
  );
});

describe('regi sync with layouts and the local store', () => {
  test.each(['oci:dir', 'local:'])(
    'copies to %s, prunes there, and reads it back',
    async (text) => {
      const { from, to, sync } = await place();
      const entry = `  - { from: FROM/team/app, to: '${text}', prune: { keep: ['1.9'] } }`;
      const plan = await sync(entry, '--dry-run');
      const first = await sync(entry);
      expect(first).toMatchObject({ status: 0, stdout: plan.stdout });
      expect(lines(first.stdout)).toEqual(
        images.map(
          ({ root }, at) =>
            `new ${text}${text === 'local:' ? '' : ':'}${from.host}/team/app:1.${at}@${root.digest}`,
        ),
      );
      expect(await sync(entry)).toMatchObject({ status: 0, stdout: '' });
      const back = await sync(`  - { from: '${text}', to: 'TO/back/{repository}' }`);
      expect(lines(back.stdout)).toEqual(
        images.map(({ root }, at) => `new ${to.host}/back/team/app:1.${at}@${root.digest}`),
      );
      from.fault({
        match: { path: /tags\/list/ },
        times: 9,
        action: { kind: 'respond', status: 200, body: '{"name":"x","tags":["1.0","1.1"]}' },
      });
      const pruned = await sync(entry);
      expect(pruned.status).toBe(0);
      expect(lines(pruned.stdout)).toEqual([expect.stringContaining('team/app:1.2@')]);
      expect(pruned.stdout).toMatch(/^deleted /);
    },
  );

  test('a name of the entry replaces the full name', async () => {
    const { cwd, run, sync } = await place();
    const { status, stdout, stderr } = await sync(
      "  - { from: FROM/team/app, to: ['oci:dir:up-{tag}', 'local:mine/{name}'], tags: ['1.0'] }",
    );
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toContain('new oci:dir:up-1.0@');
    expect(stdout).toContain('new local:docker.io/mine/app:1.0@');
    expect((await run('tags', 'list', 'oci:dir')).stdout).toBe('up-1.0\n');
    expect(existsSync(join(cwd, 'store', 'index.json'))).toBe(true);
  });

  test('a lock fixes the digests that go to files too', async () => {
    const { from, cwd, sync } = await place();
    const entry =
      "  - { from: FROM/team/*, to: ['archive:out.tar', oci:dir, 'local:'], tags: ['1.0', 'v*'] }";
    const locked = await sync(entry, '--write-lock', 'sync.lock');
    expect(locked.status).toBe(8);
    const wild = entry.replace("'1.0'", "'1.*'");
    expect(await sync(wild, '--write-lock', 'sync.lock')).toMatchObject({ status: 0 });
    const lock = readFileSync(join(cwd, 'sync.lock'), 'utf8');
    expect(lock).toContain(` archive:out.tar:${from.host}/team/app:1.0 entry=`);
    await later.pushAll(from.place.open('team/app'), '1.0');
    const again = await sync(wild, '--locked', 'sync.lock', '--all');
    expect(again).toMatchObject({ status: 0 });
    expect(again.stdout).not.toContain(later.root.digest);
    expect(lines(again.stdout).filter((line) => line.startsWith('same '))).toHaveLength(8);
    const refused = await sync("  - { from: 'oci:dir', to: TO/x }", '--write-lock', 'other.lock');
    expect(refused.status).toBe(2);
  });
});
