import { appendFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { canListTags, canUntag } from '../../../src/store.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { makeImage } from '../../support/images/images.ts';
import {
  startFakeRegistry,
  type Fault,
  type FakeRegistry,
} from '../../support/registries/fake-registry.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const TAGS = ['1.0', '1.1', '1.2', '1.3', '1.4', '1.5'];
const IMAGES = TAGS.map((_, seed) => makeImage({ seed }));
const SIGNATURE = `sha256-${'a'.repeat(64)}.sig`;
const ENTRY = "  - { name: app, from: FROM/app, to: TO/app, tags: ['1.*'], prune: true }";

interface Mirror {
  readonly from: FakeRegistry;
  readonly to: FakeRegistry;
  readonly cwd: string;
  readonly sync: (yaml: string, ...flags: readonly string[]) => ReturnType<typeof runMain>;
  readonly undo: (...flags: readonly string[]) => ReturnType<typeof runMain>;
  /** The tags of the mirror. */
  readonly tags: (repository?: string) => Promise<readonly string[]>;
  readonly removeAtSource: (...tags: readonly string[]) => Promise<void>;
}

/** A mirror that was synced once, with a signature and a tag of its own beside the images. */
async function mirror(entry = ENTRY): Promise<Mirror> {
  const [from, to] = await Promise.all([startFakeRegistry(), startFakeRegistry()]);
  const cwd = temporaryFolder('sync');
  for (const [at, image] of IMAGES.entries())
    await image.pushAll(from.place.open('app'), TAGS[at] ?? '');
  const state = ['--state', join(cwd, 'state')];
  const sync: Mirror['sync'] = (yaml, ...flags) => {
    const text = yaml.replaceAll('FROM', from.host).replaceAll('TO', to.host);
    writeFileSync(join(cwd, 'mirror.yaml'), `version: 1\nimages:\n${text}\n`);
    return runMain(['sync', 'mirror.yaml', ...state, ...flags], { cwd });
  };
  expect((await sync(entry)).status).toBe(0);
  await IMAGES[0]?.pushAll(to.place.open('app'), SIGNATURE);
  await IMAGES[0]?.pushAll(to.place.open('app'), 'own');
  return {
    from,
    to,
    cwd,
    sync,
    undo: (...flags) => {
      const [file = ''] = readdirSync(join(cwd, 'state', 'deleted'));
      return runMain(['sync', '--undo', join(cwd, 'state', 'deleted', file), ...flags], { cwd });
    },
    tags: async (repository = 'app') => {
      const store = to.place.open(repository);
      const tags: string[] = [];
      if (canListTags(store)) for await (const tag of store.listTags()) tags.push(tag);
      return tags.toSorted();
    },
    removeAtSource: async (...tags) => {
      const store = from.place.open('app');
      if (!canUntag(store)) throw new Error('The fake deletes tags');
      for (const tag of tags) await store.untag(tag);
    },
  };
}

const ALL = [...TAGS, 'own', SIGNATURE].toSorted();
const without = (...tags: readonly string[]): readonly string[] =>
  ALL.filter((tag) => !tags.includes(tag));

describe('regi sync with prune', () => {
  test.each([
    ['--policy', 'containers'],
    ['--trusted-root', 'root.json'],
    ['--shard', '1/2'],
    ['--force'],
  ])('--undo refuses %s, which it would ignore', async (...flags) => {
    const refused = await runMain(['sync', '--undo', 'deleted.jsonl', ...flags]);
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toContain(`Cannot use ${flags[0]} with --undo`);
  });

  test('deletes what the source lost, keeps all else, and --undo puts it back', async () => {
    const { to, cwd, sync, undo, tags, removeAtSource } = await mirror();
    await removeAtSource('1.1', '1.4');
    const plan = await sync(ENTRY, '--dry-run');
    expect(plan.stderr).toContain('app:1.1: its source lacks it');
    expect(await tags()).toEqual(ALL);
    expect(existsSync(join(cwd, 'state', 'deleted'))).toBe(false);
    const run = await sync(ENTRY);
    expect(run).toMatchObject({ status: 0, stdout: plan.stdout });
    expect(run.stdout).toBe(
      [1, 4].map((at) => `deleted ${to.host}/app:1.${at}@${IMAGES[at]?.root.digest}\n`).join(''),
    );
    expect(await tags()).toEqual(without('1.1', '1.4'));
    expect(await undo('--dry-run')).toMatchObject({ status: 0 });
    expect(await tags()).toEqual(without('1.1', '1.4'));
    expect(await undo()).toMatchObject({ status: 0 });
    expect(await tags()).toEqual(ALL);
    const again = await undo();
    expect(again.stdout).toContain('same ');
    await IMAGES[0]?.pushAll(to.place.open('app'), '1.1');
    const moved = await undo();
    expect(moved.status).toBe(8);
    expect(moved.stderr).toContain('Cannot put back');
  });

  test('--undo reads a log whose last line was cut, and no log with another bad line', async () => {
    const { cwd, sync, undo, tags, removeAtSource } = await mirror();
    await removeAtSource('1.1');
    expect(await sync(ENTRY)).toMatchObject({ status: 0 });
    const folder = join(cwd, 'state', 'deleted');
    const log = join(folder, readdirSync(folder)[0] ?? '');
    appendFileSync(log, '{"name":"regis');
    expect(await undo()).toMatchObject({ status: 0 });
    expect(await tags()).toEqual(ALL);
    appendFileSync(log, '\n');
    expect(await undo()).toMatchObject({ status: 2 });
  });

  const fail = (path: RegExp, status: number, body = '{}'): Fault => ({
    match: { method: 'GET', path },
    times: 99,
    action: { kind: 'respond', status, body, headers: { 'retry-after': '0' } },
  });
  const badLink: Fault = {
    match: { method: 'GET', path: /\/app\/tags\/list/ },
    times: 99,
    action: {
      kind: 'respond',
      status: 200,
      body: JSON.stringify({ name: 'app', tags: ['1.0', '1.2'] }),
      headers: { link: 'a broken link' },
    },
  };
  test.each<readonly [string, Fault]>([
    ['a list that fails with 500', fail(/tags\/list/, 500)],
    ['a list that is refused with 403', fail(/tags\/list/, 403)],
    ['a repository that is missing', fail(/tags\/list/, 404)],
    ['an empty list', fail(/tags\/list/, 200, '{"name":"app","tags":[]}')],
    ['a list of null', fail(/tags\/list/, 200, '{"name":"app","tags":null}')],
    ['half a list, with a broken link to the rest', badLink],
    ['a list that is no list', fail(/tags\/list/, 200, '<html>')],
    [
      'manifests that fail with 500',
      {
        match: { method: 'HEAD', path: /manifests\/1\.0/ },
        times: 99,
        action: { kind: 'respond', status: 500, headers: { 'retry-after': '0' } },
      },
    ],
  ])('deletes nothing after %s at the source', async (_, fault) => {
    const { from, to, sync, tags, removeAtSource } = await mirror();
    await removeAtSource('1.1');
    from.fault(fault);
    const { status } = await sync(ENTRY, '--retry', '0');
    expect(status).toBe(8);
    expect([await tags(), to.count('DELETE')]).toEqual([ALL, 0]);
  });

  test('deletes nothing when the list of the destination fails', async () => {
    const { to, sync, tags, removeAtSource } = await mirror();
    await removeAtSource('1.1');
    to.fault(fail(/tags\/list/, 500));
    expect((await sync(ENTRY, '--retry', '0')).status).toBe(8);
    expect(await tags()).toEqual(ALL);
  });

  test('deletes no tag that moved after the plan', async () => {
    const { to, sync, tags, removeAtSource } = await mirror();
    await removeAtSource('1.1');
    const held = to.hold({
      method: 'GET',
      path: new RegExp(`manifests/${IMAGES[1]?.root.digest}`),
    });
    const running = sync(ENTRY);
    await held.reached;
    await IMAGES[5]?.pushAll(to.place.open('app'), '1.1');
    held.release();
    const { status, stderr } = await running;
    expect(status).toBe(8);
    expect(stderr).toContain('it moved meanwhile');
    expect(to.count('DELETE')).toBe(0);
    expect((await to.place.open('app').resolve('1.1')).digest).toBe(IMAGES[5]?.root.digest);
    expect(await tags()).toEqual(ALL);
  });

  test('deletes nothing past the limit, which --max-delete raises', async () => {
    const { sync, tags, removeAtSource } = await mirror();
    await removeAtSource('1.1', '1.2', '1.3', '1.4');
    const blocked = await sync(ENTRY);
    expect(blocked.status).toBe(8);
    expect(blocked.stderr).toContain('--max-delete 4');
    expect(await tags()).toEqual(ALL);
    expect((await sync(ENTRY, '--no-prune')).status).toBe(0);
    expect(await tags()).toEqual(ALL);
    expect((await sync(ENTRY, '--max-delete', '4')).status).toBe(0);
    expect(await tags()).toEqual(without('1.1', '1.2', '1.3', '1.4'));
  });

  test('deletes nothing that another entry keeps, failed to read, or did not run for', async () => {
    const { from, sync, tags, removeAtSource } = await mirror();
    await IMAGES[1]?.pushAll(from.place.open('second'), '1.1');
    await removeAtSource('1.1', '1.2');
    const second = "\n  - { name: second, from: FROM/second, to: TO/app, tags: ['1.1'] }";
    expect((await sync(ENTRY + second, 'app')).stderr).toContain('did not run');
    expect(await tags()).toEqual(ALL);
    const failing = second.replace('FROM/second', 'FROM/none');
    expect((await sync(ENTRY + failing)).status).toBe(8);
    expect(await tags()).toEqual(ALL);
    expect((await sync(ENTRY + second)).status).toBe(0);
    expect(await tags()).toEqual(without('1.2'));
  });

  test('deletes nothing that an entry with another spelling of the registry keeps', async () => {
    const { from, to, sync, tags, removeAtSource } = await mirror();
    await IMAGES[3]?.pushAll(from.place.open('other'), '1.9');
    const [host, other] = [to.host.replace('127.0.0.1', 'localhost'), 'other'];
    const two =
      `  - { name: app, from: FROM/app, to: ${host}/app, tags: ['1.*'], prune: true }\n` +
      `  - { name: other, from: FROM/${other}, to: ${host.toUpperCase()}/app, tags: ['1.9'] }`;
    expect((await sync(two)).status).toBe(0);
    await removeAtSource('1.1');
    const pruned = await sync(two);
    expect(pruned, pruned.stderr).toMatchObject({ status: 0 });
    expect(await tags()).toEqual([...without('1.1'), '1.9'].toSorted());
    await removeAtSource('1.2');
    const { status, stdout, stderr } = await sync(two, 'app');
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toContain('entry "other" may write there and did not run');
  });

  test.each([
    ['Registry.example/x', 'registry.example:443/x'],
    ['index.docker.io/team/x', 'docker.io/team/x'],
    ['docker.io/x', 'docker.io/library/x'],
  ])('knows that %s and %s are one repository', async (one, other) => {
    const { sync } = await mirror();
    const { status, stderr } = await sync(
      `  - { from: a.example/x, to: ${one}, tags: ['1.*'], prune: true }\n` +
        `  - { from: a.example/y, to: ${other}, tags: ['2.*'], prune: { old: true } }`,
    );
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringContaining('expected the same prune as the other entry') as string,
    });
  });

  test('deletes old versions with old, and keeps what keep names', async () => {
    const entry = ENTRY.replace('prune: true', "prune: { old: true, keep: ['1.1'] }, latest: 4");
    const { sync, tags } = await mirror();
    expect((await sync(entry)).status).toBe(0);
    expect(await tags()).toEqual(without('1.0'));
  });

  test('knows renamed tags, and leaves others', async () => {
    const entry = ENTRY.replace('TO/app', "'TO/app:up-{tag}'");
    const { to, sync, tags, removeAtSource } = await mirror(entry);
    await IMAGES[2]?.pushAll(to.place.open('app'), '1.1');
    await removeAtSource('1.1');
    expect((await sync(entry)).status).toBe(0);
    expect(await tags()).toEqual(
      [
        ...TAGS.filter((tag) => tag !== '1.1').map((tag) => `up-${tag}`),
        '1.1',
        'own',
        SIGNATURE,
      ].toSorted(),
    );
  });

  test('says what to write where the registry deletes by digest only, and viaDummy does it', async () => {
    const { to, sync, tags, removeAtSource } = await mirror();
    await removeAtSource('1.1');
    to.fault({
      match: ({ method, path }) => method === 'DELETE' && !path.includes('sha256:'),
      times: 99,
      action: {
        kind: 'respond',
        status: 400,
        body: '{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}',
      },
    });
    const refused = await sync(ENTRY);
    expect(refused.status).toBe(8);
    expect(refused.stderr).toContain('viaDummy');
    expect(await tags()).toEqual(ALL);
    const run = await sync(ENTRY.replace('prune: true', 'prune: { viaDummy: true }'));
    expect(run.status).toBe(0);
    expect(await tags()).toEqual(without('1.1'));
  });

  test('a repository that left the list of a wildcard is named and never touched', async () => {
    const entry = "  - { name: all, from: FROM/team/**, to: 'TO/m/{rest}', prune: true }";
    const { from, to, sync, tags } = await mirror();
    await IMAGES[0]?.pushAll(from.place.open('team/stays'), '1');
    await IMAGES[1]?.pushAll(to.place.open('m/left'), '1');
    await IMAGES[1]?.pushAll(to.place.open('m/other'), '1');
    await IMAGES[1]?.pushAll(to.place.open('unrelated'), '1');
    const other = "\n  - { name: other, from: FROM/app, to: TO/m/other, tags: ['1.0'] }";
    const run = await sync(entry + other);
    expect(run.status).toBe(0);
    const told = run.stderr.split('\n').filter((line) => line.startsWith('Repository '));
    expect(told).toEqual([expect.stringContaining(`${to.host}/m/left is left as it is`)]);
    expect(await tags('m/left')).toEqual(['1']);
    expect((await sync(entry + other, '--no-prune')).stderr).not.toContain('Repository ');
  });

  test('deletes nothing when the deletion cannot be recorded', async () => {
    const { cwd, sync, tags, removeAtSource } = await mirror();
    await removeAtSource('1.1');
    writeFileSync(join(cwd, 'file'), '');
    const { status } = await sync(ENTRY, '--deleted-log', 'file/below/log.jsonl');
    expect(status).toBe(8);
    expect(await tags()).toEqual(ALL);
  });
});
