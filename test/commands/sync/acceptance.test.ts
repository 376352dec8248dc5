import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { canDelete, canListTags, canUntag, type Place, type Store } from '../../../src/store.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

interface Mirror {
  readonly from: FakeRegistry;
  readonly to: FakeRegistry;
  readonly state: string;
  readonly sync: (...flags: readonly string[]) => ReturnType<typeof runMain>;
}

async function mirror(images: string, destination?: Place): Promise<Mirror> {
  const [from, to] = await Promise.all([
    startFakeRegistry(),
    startFakeRegistry({ place: destination }),
  ]);
  const cwd = temporaryFolder('sync');
  const text = images.replaceAll('FROM', from.host).replaceAll('TO', to.host);
  writeFileSync(join(cwd, 'mirror.yaml'), `version: 1\nimages:\n${text}\n`);
  const state = join(cwd, 'state');
  return {
    from,
    to,
    state,
    sync: (...flags) => runMain(['sync', 'mirror.yaml', '--state', state, ...flags], { cwd }),
  };
}

async function tagsOf(store: Store): Promise<readonly string[]> {
  const tags: string[] = [];
  if (canListTags(store)) for await (const tag of store.listTags()) tags.push(tag);
  return tags.toSorted();
}

async function untag(store: Store, tag: string): Promise<void> {
  if (!canUntag(store)) throw new Error('The fake deletes tags');
  await store.untag(tag);
}

describe('regi sync without its state', () => {
  test.each([
    // The index, and the manifest of its only platform.
    ['linux/amd64', 2],
    ['linux/amd64, linux/arm64', 1],
  ])(
    'comes to the same result with platforms [%s]; it reads %i manifests a tag',
    async (platforms, reads) => {
      const { from, to, state, sync } = await mirror(
        `  - { from: FROM/app, to: TO/app, platforms: [${platforms}], referrers: false }`,
      );
      const tags = ['1', '2', '3'];
      for (const [seed, tag] of tags.entries())
        await makeIndex({ seed: seed + 40 }).pushAll(from.place.open('app'), tag);
      expect(await sync()).toMatchObject({ status: 0 });
      const writes = to.count('PUT') + to.count('POST') + to.count('PATCH');
      from.forgetRequests();
      expect(await sync()).toMatchObject({ status: 0, stdout: '' });
      expect(from.count('GET', 'manifest')).toBe(0);
      rmSync(state, { recursive: true });
      expect(await sync()).toMatchObject({ status: 0, stdout: '' });
      expect(from.count('GET', 'manifest')).toBe(reads * tags.length);
      expect(from.count('HEAD', 'manifest')).toBe(2 * tags.length);
      expect(to.count('GET', 'manifest')).toBe(0);
      expect(to.count('PUT') + to.count('POST') + to.count('PATCH')).toBe(writes);
    },
  );
});

describe('regi sync after a dry run', () => {
  test('reads no manifest of the source again', async () => {
    const { from, to, state, sync } = await mirror(
      '  - { from: FROM/app, to: TO/app, platforms: [linux/amd64], referrers: false }',
    );
    for (const seed of [90, 91])
      await makeIndex({ seed }).pushAll(from.place.open('app'), String(seed));
    const plan = await sync('--dry-run');
    expect(from.count('GET', 'manifest')).toBe(4);
    from.forgetRequests();
    expect(await sync()).toMatchObject({ status: 0, stdout: plan.stdout });
    expect(from.count('GET', 'manifest')).toBe(0);
    expect(to.count('PUT', 'manifest')).toBe(2);
    const [damaged = ''] = readdirSync(join(state, 'manifests'));
    writeFileSync(join(state, 'manifests', damaged), 'damaged');
    expect(await sync('--force')).toMatchObject({ status: 0 });
  });
});

describe('regi sync with prune', () => {
  test('prunes the repositories of its shard and no others', async () => {
    const { from, to, sync } = await mirror(
      "  - { from: FROM/team/**, to: 'TO/m/{rest}', referrers: false, prune: true }",
    );
    // The shard of a repository depends on the port of its registry: with forty none stays empty.
    const names = Array.from({ length: 40 }, (_, at) => `app-${at}`);
    const image = makeImage({ seed: 50 });
    for (const name of names)
      for (const tag of ['kept', 'gone']) await image.pushAll(from.place.open(`team/${name}`), tag);
    expect((await sync()).status).toBe(0);
    for (const name of names) await untag(from.place.open(`team/${name}`), 'gone');
    const pruned = new Set<string>();
    for (const shard of ['1/3', '2/3', '3/3']) {
      const before = pruned.size;
      const { status, stdout } = await sync('--shard', shard);
      expect(status).toBe(0);
      for (const line of stdout.split('\n').filter(Boolean)) pruned.add(line);
      expect(pruned.size).toBeGreaterThan(before);
      const left = names.map(async (name) => (await tagsOf(to.place.open(`m/${name}`))).length);
      const tags = await Promise.all(left);
      expect(tags.reduce((sum, count) => sum + count, 0)).toBe(2 * names.length - pruned.size);
    }
    expect([...pruned].toSorted()).toEqual(
      names.map((name) => `deleted ${to.host}/m/${name}:gone@${image.root.digest}`).toSorted(),
    );
  });

  test('a registry that drops the manifest with its last tag: --undo brings both back', async () => {
    const { from, to, state, sync } = await mirror(
      '  - { from: FROM/app, to: TO/app, referrers: false, prune: true }',
      droppingManifests(createMemoryPlace()),
    );
    const [kept, index] = [makeImage({ seed: 60 }), makeIndex({ seed: 61 })];
    await kept.pushAll(from.place.open('app'), 'kept');
    for (const tag of ['a', 'b']) await index.pushAll(from.place.open('app'), tag);
    expect((await sync()).status).toBe(0);
    for (const tag of ['a', 'b']) await untag(from.place.open('app'), tag);
    const log = join(state, 'log.jsonl');
    expect((await sync('--deleted-log', log)).status).toBe(0);
    const store = to.place.open('app');
    expect(await tagsOf(store)).toEqual(['kept']);
    expect(await store.exists(index.root)).toBe(false);
    const undone = await runMain(['sync', '--undo', log]);
    expect(undone).toMatchObject({ status: 0 });
    expect(await tagsOf(store)).toEqual(['a', 'b', 'kept']);
    expect(await runMain(['verify', `${to.host}/app:b`])).toMatchObject({ status: 0 });
  });
});

/**
 * Deletes a manifest with its last tag, and with it the manifests of an index, as some registries
 * do.
 */
function droppingManifests(place: Place): Place {
  return {
    name: place.name,
    repositories: (options) => place.repositories(options),
    open(repository) {
      const store = place.open(repository);
      return new Proxy(store, {
        get(target, key) {
          if (key === 'untag') return (tag: string) => dropTag(target, tag);
          const value: unknown = Reflect.get(target, key);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
  };
}

async function dropTag(store: Store, tag: string): Promise<void> {
  const root = await store.resolve(tag);
  await untag(store, tag);
  const others = await Promise.all((await tagsOf(store)).map((other) => store.resolve(other)));
  if (others.some(({ digest }) => digest === root.digest) || !canDelete(store)) return;
  await store.delete(root);
}
