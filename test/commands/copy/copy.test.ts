import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [one, two, index] = [makeImage({ seed: 1 }), makeImage({ seed: 2 }), makeIndex({ seed: 3 })];

let from: FakeRegistry;
beforeAll(async () => {
  from = await startFakeRegistry();
  const store = from.place.open('team/app');
  await one.pushAll(store, '1.0');
  await two.pushAll(store, '2.0');
  await index.pushAll(store, 'all');
});

async function destination(): Promise<FakeRegistry> {
  return startFakeRegistry();
}

async function tagsOf(registry: FakeRegistry, repository: string): Promise<readonly string[]> {
  const { stdout } = await runMain(['tags', 'list', `${registry.host}/${repository}`]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** A registry with one image `a`, and a list of tags of its own. */
async function withTagList(response: {
  readonly body: string;
  readonly headers?: Record<string, string>;
}): Promise<FakeRegistry> {
  const registry = await startFakeRegistry();
  await one.pushAll(registry.place.open('app'), 'a');
  const headers = { 'content-type': 'application/json', ...response.headers };
  registry.fault({
    match: { path: /tags\/list/ },
    action: { kind: 'respond', status: 200, headers, body: response.body },
    times: 9,
  });
  return registry;
}

describe('regi copy --all-tags', () => {
  test('B5: carries the others and ends with 8 when an entry of the list is no tag', async () => {
    const [odd, to] = [await withTagList({ body: '{"tags":["","a","x y"]}' }), await destination()];
    const copied = await runMain(['copy', '--all-tags', `${odd.host}/app`, `${to.host}/app`]);
    expect([copied.status, copied.stderr]).toEqual([8, expect.stringContaining('2 entries')]);
    expect(await tagsOf(to, 'app')).toEqual(['a']);
    expect(await runMain(['tags', 'list', `${odd.host}/app`])).toMatchObject({
      status: 0,
      stdout: 'a\n',
      stderr: expect.stringContaining('2 entries'),
    });
  });

  test('B6: refuses to call a part the whole when the list breaks off', async () => {
    const headers = { link: '</v2/x; rel="next"' };
    const odd = await withTagList({ body: '{"tags":["a"]}', headers });
    const to = await destination();
    const copied = await runMain(['copy', '--all-tags', `${odd.host}/app`, `${to.host}/app`]);
    expect([copied.status, copied.stderr]).toEqual([1, expect.stringContaining('malformed')]);
    expect(to.count('PUT')).toBe(0);
    expect(await runMain(['tags', 'list', `${odd.host}/app`])).toMatchObject({
      status: 1,
      stdout: 'a\n',
    });
  });
});

describe('regi copy', () => {
  test.each([
    ['a reference without a tag', (): string => `${from.host}/team/named`, 'latest'],
    ['a digest', (): string => `${from.host}/team/named@${one.root.digest}`, undefined],
  ])(
    'an image of %s can be found in the layout that it was copied to',
    async (_source, source, name) => {
      const cwd = temporaryFolder('cwd');
      await one.pushAll(from.place.open('team/named'), 'latest');
      expect((await runMain(['copy', source(), 'oci:images'], { cwd })).status).toBe(0);
      const { manifests } = JSON.parse(readFileSync(join(cwd, 'images', 'index.json'), 'utf8')) as {
        manifests: { annotations?: object }[];
      };
      expect(manifests.map(({ annotations }) => Object.values(annotations ?? {})[0])).toEqual([
        name,
      ]);
      expect((await runMain(['digest', 'oci:images'], { cwd })).stdout).toBe(
        `${one.root.digest}\n`,
      );
    },
  );

  test('the only image of a layout keeps its name in another layout and in an archive', async () => {
    const cwd = temporaryFolder('cwd');
    await runMain(['copy', `${from.host}/team/app:2.0`, 'oci:images'], { cwd });
    await runMain(['copy', 'oci:images', 'oci:more'], { cwd });
    await runMain(['copy', 'oci:images', 'archive:images.tar'], { cwd });
    expect((await runMain(['tags', 'list', 'oci:more'], { cwd })).stdout).toBe('2.0\n');
    expect((await runMain(['tags', 'list', 'archive:images.tar'], { cwd })).stdout).toBe('2.0\n');
  });

  test('a registry that answered 429 gets few connections from then on', async () => {
    const [busy, calm, to] = await Promise.all([
      startFakeRegistry(),
      startFakeRegistry(),
      destination(),
    ]);
    for (const { place } of [busy, calm])
      for (let tag = 0; tag < 12; tag += 1)
        await makeImage({ seed: 100 + tag }).pushAll(place.open('app'), `v${tag}`);
    busy.fault({
      match: { path: /tags\/list/ },
      action: { kind: 'respond', status: 429, headers: { 'retry-after': '0' } },
    });

    const { status, stderr } = await runMain([
      'copy',
      '--all-tags',
      '-v',
      `${busy.host}/app`,
      `${to.host}/app`,
    ]);
    await runMain(['copy', '--all-tags', `${calm.host}/app`, `${to.host}/app`]);

    expect(status).toBe(0);
    expect(stderr).toContain(`${busy.host} answered 429`);
    expect([busy.connections() <= 4, calm.connections() > 4]).toEqual([true, true]);
  });

  test('a registry that answered 429 to a blob gets few connections from then on', async () => {
    const to = await destination();
    to.fault({
      match: { method: 'PUT', path: /blobs\/uploads/ },
      action: { kind: 'respond', status: 429, headers: { 'retry-after': '0' } },
    });
    const { status, stderr } = await runMain([
      'copy',
      '-v',
      `${from.host}/team/app:1.0`,
      `${to.host}/app:1`,
    ]);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringContaining(`${to.host} answered 429`),
    });
  });

  test('prints one line an image and nothing else, and writes the same into --digestfile', async () => {
    const to = await destination();
    const cwd = temporaryFolder('cwd');
    writeFileSync(join(cwd, 'digests'), 'of an earlier run\n');
    const { status, stdout } = await runMain(
      ['copy', '--all-tags', '--digestfile', 'digests', `${from.host}/team/app`, `${to.host}/app`],
      { cwd },
    );
    expect(status).toBe(0);
    expect(stdout.trimEnd().split('\n').toSorted()).toEqual(
      [`1.0@${one.root.digest}`, `2.0@${two.root.digest}`, `all@${index.root.digest}`].map(
        (tail) => `${to.host}/app:${tail}`,
      ),
    );
    expect(readFileSync(join(cwd, 'digests'), 'utf8')).toBe(stdout);
  });

  test('writes the images that were copied before a failure into --digestfile', async () => {
    const to = await destination();
    const cwd = temporaryFolder('cwd');
    const list = `${from.host}/team/app:1.0 ${to.host}/a:1\n${from.host}/team/app:nope ${to.host}/b:1\n`;
    const { status, stdout } = await runMain(
      ['copy', '-k', '--from', '-', '--digestfile', 'digests'],
      { cwd, stdin: list },
    );
    expect({ status, stdout }).toEqual({
      status: 8,
      stdout: `${to.host}/a:1@${one.root.digest}\n`,
    });
    expect(readFileSync(join(cwd, 'digests'), 'utf8')).toBe(stdout);
  });

  test('copies nothing when --digestfile cannot be written', async () => {
    const to = await destination();
    const { status, stderr } = await runMain([
      'copy',
      '--digestfile',
      '/no/such/folder/digests',
      `${from.host}/team/app:1.0`,
      `${to.host}/app:1`,
    ]);
    expect({
      status,
      lines: stderr.trimEnd().split('\n').length,
      requests: to.requests.length,
    }).toEqual({ status: 1, lines: 2, requests: 0 });
  });

  test('--dry-run prints what would be copied, and copies nothing', async () => {
    const to = await destination();
    await one.pushAll(to.place.open('other'));
    const { status, stderr } = await runMain([
      'copy',
      '--dry-run',
      `${from.host}/team/app:1.0`,
      `${to.host}/app:1`,
    ]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^upload {3}sha256:/);
    expect(stderr.trimEnd()).toMatch(/\nto upload: 3 blobs \([^)]*\); nothing was written$/);
    expect(to.requests.filter(({ method }) => method !== 'HEAD' && method !== 'GET')).toEqual([]);
  });

  test.each([
    [[], 'expected a source', 'type: regi copy SRC DST'],
    [['a.example/x'], 'expected a destination', 'type: regi copy a.example/x DST'],
    [['--all-tags', 'a.example/x:1', 'b.example/y'], 'expected a repository', 'drop the tag'],
    [['--from', 'list', '--all-tags'], 'together', 'name the tags in the file'],
    [
      ['--from', 'list', 'a.example/x', 'b.example/y'],
      'expected at most a PREFIX',
      'type: regi copy --from list PREFIX',
    ],
  ])('%j reports the missing argument and shows what to type', async (args, problem, hint) => {
    const { status, stderr, stdout } = await runMain(['copy', ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    const [first, second, ...more] = stderr.trimEnd().split('\n');
    expect(first).toContain(problem);
    expect(second).toContain(hint);
    expect(more).toEqual([]);
  });
});

describe('regi copy --no-clobber', () => {
  test('exits 1 without a line when the only tag exists with other content', async () => {
    const to = await destination();
    await two.pushAll(to.place.open('app'), '1');
    const { status, stdout, stderr } = await runMain([
      'copy',
      '-n',
      `${from.host}/team/app:1.0`,
      `${to.host}/app:1`,
    ]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(two.root.digest);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
  });

  test('accepts a tag that already has the same image', async () => {
    const to = await destination();
    await one.pushAll(to.place.open('app'), '1');
    const { status, stdout } = await runMain([
      'copy',
      '-n',
      `${from.host}/team/app:1.0`,
      `${to.host}/app:1`,
    ]);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${to.host}/app:1@${one.root.digest}\n`,
    });
  });

  test('keeps and notes existing tags of many, and prints lines of the others only', async () => {
    const to = await destination();
    await two.pushAll(to.place.open('app'), '1.0');
    const args = ['copy', '-n', '--tags', '*.0', `${from.host}/team/app`, `${to.host}/app`];
    const { status, stdout, stderr } = await runMain(args);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${to.host}/app:2.0@${two.root.digest}\n`,
    });
    expect(stderr).toContain(`Kept ${to.host}/app:1.0`);
    expect(stderr).toContain('2 images: 1 copied, 1 kept');
    const rows = (await runMain([...args, '--json'])).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows.map(({ image, outcome }) => [image, outcome])).toEqual([
      [`${to.host}/app:1.0`, 'kept'],
      [`${to.host}/app:2.0`, 'unchanged'],
    ]);
  });
});

describe('regi copy --from', () => {
  test('reads standard input, and makes destinations of a prefix', async () => {
    const to = await destination();
    const list = `# mirrors\n\n${from.host}/team/app:1.0 ${to.host}/own/name:x\r\n  ${from.host}/team/app:2.0\n`;
    const { status, stdout } = await runMain(['copy', '--from', '-', `${to.host}/mirror/`], {
      stdin: list,
    });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `${to.host}/own/name:x@${one.root.digest}\n${to.host}/mirror/team/app:2.0@${two.root.digest}\n`,
    });
    expect(await tagsOf(to, 'mirror/team/app')).toEqual(['2.0']);
  });

  test('copies nothing when the last line of a list is malformed', async () => {
    const to = await destination();
    const list = `${from.host}/team/app:1.0 ${to.host}/a:1\n${from.host}/team/app:1.0 ${to.host}/B:1\n`;
    const { status, stdout, stderr } = await runMain(['copy', '--from', '-'], { stdin: list });
    expect({ status, stdout, requests: to.requests.length }).toEqual({
      status: 2,
      stdout: '',
      requests: 0,
    });
    expect(stderr).toMatch(/^regi: Cannot use line 2 of standard input: .*\n {2}\S.*\n$/);
  });

  test('says so when a list is empty', async () => {
    const { status, stdout, stderr } = await runMain(['copy', '--from', '-'], {
      stdin: '\n# nothing\n',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toContain('Nothing to copy');
  });

  test('--keep-going continues after a missing source', async () => {
    const to = await destination();
    const list = `oci:/no/such/folder:1 ${to.host}/a:1\n${from.host}/team/app:1.0 ${to.host}/b:1\n`;
    const { status, stdout, stderr } = await runMain(['copy', '-k', '--from', '-'], {
      stdin: list,
    });
    expect({ status, stdout }).toEqual({
      status: 8,
      stdout: `${to.host}/b:1@${one.root.digest}\n`,
    });
    expect(stderr).toContain(`Cannot copy to "${to.host}/a:1"`);
    expect(stderr).toContain('1 of 2 images failed');
  });

  test('refuses two images for one name of one layout, however that is written', async () => {
    const cwd = temporaryFolder('cwd');
    const list = `${from.host}/team/app:1.0 oci:here:x\n${from.host}/team/app:2.0 oci:./here:x\n`;
    const { status, stderr } = await runMain(['copy', '--from', '-'], { cwd, stdin: list });
    expect(status).toBe(2);
    expect(stderr).toContain('two images');
    expect(existsSync(join(cwd, 'here', 'oci-layout'))).toBe(true);
  });
});
