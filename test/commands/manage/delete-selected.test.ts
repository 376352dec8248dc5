import { beforeEach, describe, expect, test } from 'vitest';

import { makeLayered } from '../../support/images/layered-image.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { runMain, type MainResult, type RunMainOptions } from '../../support/cli/run-main.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';

const [OLD, SHARED, NEW] = [
  makeLayered([[{ name: 'a' }]], { created: '2020-01-01T00:00:00Z' }),
  makeLayered([[{ name: 'b' }]], { created: '2020-02-01T00:00:00Z' }),
  makeLayered([[{ name: 'c' }]], { created: '2999-01-01T00:00:00Z' }),
];

let registry: FakeRegistry;
let name: string;

beforeEach(async () => {
  registry = await startFakeRegistry();
  name = `${registry.host}/app`;
  const store = registry.place.open('app');
  await OLD.pushTo(store, 'pr-1');
  await OLD.pushTo(store, 'pr-1-again');
  await SHARED.pushTo(store, 'pr-2');
  await SHARED.pushTo(store, 'latest');
  await NEW.pushTo(store, 'pr-3');
  registry.forgetRequests();
});

const run = (words: readonly string[], options?: RunMainOptions): Promise<MainResult> =>
  runMain(words, options);

async function tags(): Promise<string> {
  return (await run(['tags', 'list', '--sort', 'name', name])).stdout.trim().replaceAll('\n', ' ');
}

describe('regi tags delete --match', () => {
  test('counts, asks, and deletes the tags of which no image is needed by another tag', async () => {
    const { status, stdout, stderr } = await run(['tags', 'delete', '--match', 'pr-*', name], {
      isTTY: true,
      typed: ['y'],
    });
    expect([status, stdout]).toEqual([
      0,
      ['pr-1', 'pr-1-again', 'pr-3'].map((tag) => `Untagged: ${name}:${tag}\n`).join(''),
    ]);
    expect(stderr).toContain(
      `Kept ${name}:pr-2: the tag "latest", which stays, needs the same image`,
    );
    expect(stderr).toContain(`Selected 3 tags of ${name}: pr-1, pr-1-again, pr-3`);
    expect(await tags()).toBe('latest pr-2');
  });

  test('--older-than keeps younger images, and those without a date', async () => {
    await makeImage({ seed: 9 }).pushAll(registry.place.open('app'), 'pr-4');
    const argv = ['tags', 'delete', '--yes', '--match', 'pr-*', '--older-than', '30d', name];
    const { stdout } = await run(argv);
    expect(stdout).toContain(`${name}:pr-1\n`);
    expect(await tags()).toMatch(/^latest pr-2 pr-3/);
  });

  test.each([
    ['n', 'it was not confirmed', 1],
    ['', 'it was not confirmed', 1],
  ])('deletes nothing when the reply is %j', async (reply, message, expected) => {
    const { status, stderr } = await run(['tags', 'delete', '--match', 'pr-*', name], {
      isTTY: true,
      typed: [reply],
    });
    expect([status, stderr]).toEqual([expected, expect.stringContaining(message)]);
    expect(registry.count('DELETE')).toBe(0);
  });

  test('refuses to delete unasked without a terminal', async () => {
    const { status, stderr } = await run(['tags', 'delete', '--match', 'pr-*', name]);
    expect([status, stderr]).toEqual([2, expect.stringContaining('add --yes')]);
    expect(registry.requests).toEqual([]);
  });

  test('--dry-run deletes nothing and asks nothing', async () => {
    const { status, stdout } = await run(['tags', 'delete', '--dry-run', '--match', 'pr-*', name]);
    expect([status, stdout]).toEqual([
      0,
      ['pr-1', 'pr-1-again', 'pr-3'].map((tag) => `Would untag: ${name}:${tag}\n`).join(''),
    ]);
    expect(registry.count('DELETE')).toBe(0);
    const one = await run(['tags', 'delete', '--dry-run', `${name}:pr-1`]);
    expect(one.stdout).toBe(`Would untag: ${name}:pr-1\n`);
  });

  test('deletes nothing when the list of tags breaks off', async () => {
    registry.fault({
      match: { path: /tags\/list/ },
      action: {
        kind: 'respond',
        status: 200,
        headers: { link: '<x; rel="next"' },
        body: '{"tags":["pr-1"]}',
      },
    });
    expect((await run(['tags', 'delete', '--yes', '--match', 'pr-*', name])).status).toBe(1);
    expect(registry.count('DELETE')).toBe(0);
  });

  test('refuses an age that is none', async () => {
    const { status, stderr } = await run(['tags', 'delete', '--older-than', 'soon', '--yes', name]);
    expect([status, stderr]).toEqual([2, expect.stringContaining('such as --older-than 30d')]);
  });
});

describe('regi delete --match', () => {
  test('deletes each image once, with its tags, and never one that another tag needs', async () => {
    const { status, stdout } = await run(['delete', '--yes', '--match', 'pr-*', name]);
    expect([status, stdout]).toEqual([
      0,
      `Untagged: ${name}:pr-1\nUntagged: ${name}:pr-1-again\nDeleted: ${name}@${OLD.root.digest}\n` +
        `Untagged: ${name}:pr-3\nDeleted: ${name}@${NEW.root.digest}\n`,
    ]);
    expect(await tags()).toBe('latest pr-2');
  });

  test('keeps an image that the index of another tag lists', async () => {
    const index = makeIndex({ seed: 7 });
    const [amd64] = index.images;
    const store = registry.place.open('app');
    await index.pushAll(store, 'multi');
    if (amd64 !== undefined) await store.tag(amd64.root, 'multi-amd64');
    const { stdout, stderr } = await run(['delete', '--yes', '--match', '*-amd64', name]);
    expect(stdout).toBe('');
    expect(stderr).toContain(`Kept ${name}:multi-amd64: the tag "multi", which stays`);
    expect(registry.count('DELETE')).toBe(0);
  });

  test('--dry-run shows the image and its tags', async () => {
    const { stdout } = await run(['delete', '--dry-run', `${name}@${OLD.root.digest}`]);
    expect(stdout).toBe(
      `Would untag: ${name}:pr-1\nWould untag: ${name}:pr-1-again\nWould delete: ${name}@${OLD.root.digest}\n`,
    );
    expect(registry.count('DELETE')).toBe(0);
  });
});
