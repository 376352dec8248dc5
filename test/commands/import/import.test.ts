import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { json, layoutMembers } from '../../support/images/archives.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, makeIndex } from '../../support/images/images.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { buildTar, writeTar } from '../../support/images/tar-builder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [base, next] = [
  makeImage({ seed: 1, layers: [50_000, 10] }),
  makeImage({ seed: 1, layers: [50_000, 20] }),
];
const index = makeIndex({ seed: 5 });
const both = [
  { image: base, refName: '12', fullName: 'docker.io/library/debian:12' },
  { image: index, refName: '1.0', fullName: 'registry.example/team/app:1.0' },
];

let to: FakeRegistry;
let cwd: string;

beforeEach(async () => {
  to = await startFakeRegistry();
  cwd = temporaryFolder('import');
});

function run(...args: readonly string[]): Promise<MainResult> {
  return runMain(['import', ...args], { cwd, env: { REGI_DATA: join(cwd, 'data') } });
}

/** Lines of standard output may come in the order in which images end. */
function lines(stdout: string): readonly string[] {
  return stdout.trimEnd().split('\n');
}

function writes(): number {
  return to.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD').length;
}

describe('regi import', () => {
  test('PREFIX stands before the repository path without its registry', async () => {
    const { status, stdout } = await run(writeTar(layoutMembers(both)), `${to.host}/mirror`);
    expect({ status, lines: lines(stdout) }).toEqual({
      status: 0,
      lines: [
        `${to.host}/mirror/library/debian:12@${base.root.digest}`,
        `${to.host}/mirror/team/app:1.0@${index.root.digest}`,
      ],
    });
    expect(await to.place.open('mirror/team/app').resolve('1.0')).toEqual(index.root);
  });

  test('prints a table of results on standard error', async () => {
    const { stderr } = await run(writeTar(layoutMembers(both)), to.host);
    expect(stderr).toMatch(
      /NAME +DESTINATION +RESULT\ndocker\.io\/library\/debian:12 +127\S+\/library\/debian:12 +copied\nregistry\.example/,
    );
  });

  test('--json has the name that the archive has for it', async () => {
    const { stdout } = await run('--json', writeTar(layoutMembers(both)), to.host);
    expect(lines(stdout).map((line) => (JSON.parse(line) as { source: string }).source)).toEqual([
      'docker.io/library/debian:12',
      'registry.example/team/app:1.0',
    ]);
  });

  test('without PREFIX everything goes into the local store under its own name', async () => {
    const { status, stdout } = await run(writeTar(layoutMembers(both)));
    expect({ status, lines: lines(stdout) }).toEqual({
      status: 0,
      lines: [
        `local:docker.io/library/debian:12@${base.root.digest}`,
        `local:registry.example/team/app:1.0@${index.root.digest}`,
      ],
    });
  });

  test('writes content that two images share into the local store once', async () => {
    const path = writeTar(
      layoutMembers([
        { image: base, fullName: 'a.example/one:1' },
        { image: base, fullName: 'b.example/two:1' },
      ]),
    );
    const { stderr } = await run('--progress', 'json', path);
    const events = lines(stderr).map(
      (line) => JSON.parse(line) as { kind: string; target?: { digest: string } },
    );
    const started = events.filter(
      ({ kind, target }) => kind === 'started' && target?.digest === base.layers[0]?.digest,
    );
    expect(started).toHaveLength(1);
  });

  test('--platform brings that platform of each image', async () => {
    const path = writeTar(
      layoutMembers([{ image: index, refName: '1.0', fullName: 'registry.example/team/app:1.0' }]),
    );
    const { status, stdout } = await run(path, to.host, '--platform', 'linux/arm64');
    const arm64 = index.images[1]?.root.digest;
    expect([status, stdout]).toEqual([0, `${to.host}/team/app:1.0@${arm64 ?? ''}\n`]);
    expect(await to.place.open('team/app').resolve('1.0')).toMatchObject({ digest: arm64 });
  });

  test('--platform needs no layers that the archive leaves out of other platforms', async () => {
    const [amd64, arm64] = index.images;
    const without = (amd64?.layers ?? []).map(({ digest }) => digest);
    const path = writeTar(
      layoutMembers([{ image: index, fullName: 'registry.example/team/app:1.0' }], without),
    );
    expect((await run(path, to.host)).status).toBe(3);
    expect(await run(path, to.host, '--platform', 'linux/arm64')).toMatchObject({
      status: 0,
      stdout: `${to.host}/team/app:1.0@${arm64?.root.digest ?? ''}\n`,
    });
  });

  test('A25: platforms that none of the images has stop the command before anything is written', async () => {
    const path = writeTar(layoutMembers(both));
    const { status, stderr } = await run(path, to.host, '--platform', 'linux/s390x');
    expect([status, writes()]).toEqual([3, 0]);
    expect(stderr).toContain('Cannot find linux/s390x in any of the images');
    const [only] = both;
    const alone = writeTar(layoutMembers(only === undefined ? [] : [only]));
    expect(await run(alone, to.host, '--platform', 'linux/s390x')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('Cannot find platform "linux/s390x"'),
    });
  });

  test('a second time moves nothing', async () => {
    const path = writeTar(layoutMembers(both));
    await run(path, to.host);
    const before = writes();
    const { status, stderr } = await run(path, to.host);
    expect([status, writes() - before, stderr]).toEqual([
      0,
      0,
      expect.stringContaining('2 images unchanged'),
    ]);
  });

  test('images without a full name are of a repository named after the file', async () => {
    const path = writeTar(
      layoutMembers([{ image: base, refName: '12' }, { image: next }]),
      'Builds.tar',
    );
    const { stdout } = await run(path, to.host);
    expect(lines(stdout)).toEqual([
      `${to.host}/builds:12@${base.root.digest}`,
      `${to.host}/builds@${next.root.digest}`,
    ]);
    expect(await to.place.open('builds').resolve('12')).toEqual(base.root);
  });

  test('one image of an archive is imported alone', async () => {
    const path = writeTar(layoutMembers(both));
    const { stdout } = await run(`archive:${path}:debian:12`, to.host);
    expect(stdout).toBe(`${to.host}/library/debian:12@${base.root.digest}\n`);
  });

  test('standard input, packed by gzip, is read', async () => {
    const path = join(cwd, 'images.tar.gz');
    writeFileSync(path, gzipSync(buildTar(layoutMembers(both))));
    expect((await run(path, to.host)).status).toBe(0);
  });

  test('an image layout is imported like an archive', async () => {
    await runMain(
      [
        'copy',
        `archive:${writeTar(layoutMembers([{ image: base, refName: '12' }]))}`,
        'oci:images:registry.example/team/app:1',
      ],
      { cwd },
    );
    expect((await run('images', to.host)).stdout).toBe(
      `${to.host}/team/app:1@${base.root.digest}\n`,
    );
  });

  test('--dry-run says where images would go and writes nothing', async () => {
    const { status, stderr } = await run('--dry-run', writeTar(layoutMembers(both)), to.host);
    expect([status, writes(), stderr]).toEqual([0, 0, expect.stringContaining('would be copied')]);
  });

  test('--digestfile has the lines of standard output', async () => {
    const { stdout } = await run('--digestfile', 'digests', writeTar(layoutMembers(both)), to.host);
    expect(readFileSync(join(cwd, 'digests'), 'utf8')).toBe(stdout);
  });

  test('one that fails does not stop the others, and the exit status says so', async () => {
    to.fault({
      match: { method: 'PUT', path: /library\/debian\/manifests/ },
      action: { kind: 'respond', status: 405 },
      times: 100,
    });
    const { status, stdout, stderr } = await run(writeTar(layoutMembers(both)), to.host);
    expect({ status, stdout }).toEqual({
      status: 8,
      stdout: `${to.host}/team/app:1.0@${index.root.digest}\n`,
    });
    expect(stderr).toMatch(/docker\.io\/library\/debian:12 .+ failed\n/);
  });

  test('refuses an archive whose only image lacks a manifest before anything is written', async () => {
    const without = index.images.map(({ root }) => root.digest);
    const only = both.filter(({ image }) => image === index);
    const { status } = await run(writeTar(layoutMembers(only, without)), to.host);
    expect([status, writes()]).toEqual([3, 0]);
  });

  test('A11: imports the images beside one that lacks a manifest', async () => {
    const without = index.images.map(({ root }) => root.digest);
    const { status, stdout } = await run(writeTar(layoutMembers(both, without)), to.host);
    expect(status).toBe(8);
    expect(stdout.trim().split('\n')).toHaveLength(both.length - 1);
    expect(stdout).not.toContain(index.root.digest);
  });
});

describe('regi import --map', () => {
  test.each([
    ['debian:12', 'new/name:1', 'new/name', '1'],
    ['debian:12', 'new/name', 'new/name', '12'],
    ['docker.io/library/debian:12', 'new/name:1', 'new/name', '1'],
    ['debian', 'new/name', 'new/name', '12'],
    [base.root.digest, 'new/name:1', 'new/name', '1'],
  ])('%s=%s', async (old, name, repository, tag) => {
    await run(writeTar(layoutMembers(both)), to.host, '--map', `${old}=${to.host}/${name}`);
    expect(await to.place.open(repository).resolve(tag)).toEqual(base.root);
    expect(await to.place.open('team/app').resolve('1.0')).toEqual(index.root);
  });

  test('a mapping of an image counts before one of its repository', async () => {
    await run(
      writeTar(layoutMembers(both)),
      to.host,
      '--map',
      `debian=${to.host}/all`,
      '--map',
      `debian:12=${to.host}/one:1`,
    );
    expect(await to.place.open('one').resolve('1')).toEqual(base.root);
  });

  test('local: sends an image into the local store', async () => {
    const { stdout } = await run(
      writeTar(layoutMembers(both)),
      to.host,
      '--map',
      'debian:12=local:mine:1',
    );
    expect(lines(stdout)).toContain(`local:docker.io/library/mine:1@${base.root.digest}`);
  });
});

describe('regi import refuses', () => {
  test.each([
    ['a bare word as PREFIX', ['mirror'], 'do not read "mirror" as a registry'],
    ['a PREFIX with a tag', ['registry.example/app:1'], 'expected HOST[:PORT][/PATH]'],
    ['a mapping without "="', ['--map', 'debian'], 'expected OLD=NEW'],
    [
      'a mapping of nothing in the archive',
      ['--map', 'absent=registry.example/x', 'registry.example'],
      'no image of that name',
    ],
    [
      'a mapping to a folder',
      ['--map', 'debian=oci:dir', 'registry.example'],
      'expected a reference',
    ],
    [
      'images that nothing says the place of',
      ['--map', 'debian=registry.example/x'],
      'Cannot import "registry.example/team/app:1.0": no --map',
    ],
    [
      'two images under one name',
      ['registry.example', '--map', 'debian:12=registry.example/team/app:1.0'],
      'under one name',
    ],
  ])('%s', async (_what, args, problem) => {
    const { status, stderr } = await run(writeTar(layoutMembers(both)), ...args);
    expect([status, stderr]).toEqual([2, expect.stringContaining(problem)]);
  });

  test.each(['docker://debian', 'dir:folder', 'local:debian'])(
    '%s, which is no archive',
    async (file) => {
      expect((await run(file, to.host)).status).toBe(2);
    },
  );

  test('a missing file', async () => {
    expect((await run('absent.tar', to.host)).status).toBe(3);
  });
});

describe('regi import of an incremental archive', () => {
  const [layer = base.root] = base.layers;
  let from: FakeRegistry;
  let [whole, delta]: readonly string[] = [];

  beforeAll(async () => {
    from = await startFakeRegistry();
    await base.pushAll(from.place.open('library/debian'), '12');
    await next.pushAll(from.place.open('team/app'), '1');
    const folder = temporaryFolder('archives');
    [whole, delta] = [join(folder, 'b.tar'), join(folder, 'delta.tar')];
    await runMain(['export', `${from.host}/library/debian:12`, '-o', whole], {});
    await runMain(['export', '--since', whole, `${from.host}/team/app:1`, '-o', delta], {});
  });

  test('is refused with a list of the missing layers, and nothing is written', async () => {
    const { status, stdout, stderr } = await run(delta ?? '', `${to.host}/mirror`);
    expect({ status, stdout, writes: writes() }).toEqual({ status: 3, stdout: '', writes: 0 });
    expect(stderr).toMatch(
      new RegExp(`MISSING .+\n${layer.digest} .+team/app:1 .+/library/debian\n`),
    );
    expect(stderr).toContain('1 layer (');
  });

  test('--json also lists missing layers', async () => {
    const { stderr } = await run('--json', delta ?? '', `${to.host}/mirror`);
    expect(lines(stderr).map((line) => JSON.parse(line) as unknown)).toEqual([
      { warning: { message: expect.stringContaining(layer.digest) } },
      {
        error: {
          code: 'NOT_FOUND',
          message: expect.stringContaining('1 layer ('),
          hint: expect.stringContaining('--base REPO'),
        },
      },
    ]);
  });

  test('looks everywhere that it goes when the archive records no repository', async () => {
    const record = {
      regi: 'omitted',
      version: 1,
      blobs: [{ digest: layer.digest, size: layer.size, repositories: [] }],
    };
    const members = layoutMembers(
      [
        { image: next, fullName: 'a.example/app:2' },
        { image: index, fullName: 'a.example/base:2' },
      ],
      [layer.digest],
    );
    await base.pushAll(to.place.open('base'), '1');
    const { status } = await run(
      writeTar([...members, json('regi-omitted.json', record)]),
      to.host,
    );
    expect([status, await to.place.open('app').exists(layer)]).toEqual([0, true]);
  });

  test('mounts layers that the earlier archive brought to another repository', async () => {
    await run(whole ?? '', `${to.host}/mirror`);
    to.forgetRequests();
    const { status, stderr } = await run(delta ?? '', `${to.host}/mirror`);
    expect([status, stderr]).toEqual([0, expect.stringContaining('1 mounted')]);
    const store = to.place.open('mirror/team/app');
    expect(
      await Promise.all([next.root, next.config, ...next.layers].map((node) => store.exists(node))),
    ).toEqual([true, true, true, true]);
    expect(
      to.requests
        .map(({ url }) => decodeURIComponent(url))
        .filter((url) => url.includes(layer.digest) && url.includes('from=')),
    ).toEqual([expect.stringContaining('from=mirror/library/debian')]);
  });

  test('fetches and pushes it where the registry mounts nothing', async () => {
    await run(whole ?? '', `${to.host}/mirror`);
    to.fault({
      match: { method: 'POST', path: /mount=/ },
      action: { kind: 'respond', status: 405 },
      times: 100,
    });
    const { status } = await run(delta ?? '', `${to.host}/mirror`);
    expect([status, await to.place.open('mirror/team/app').exists(layer)]).toEqual([0, true]);
  });

  test('finds it in the repository itself', async () => {
    await base.pushAll(to.place.open('team/app'), 'old');
    expect((await run(delta ?? '', to.host)).status).toBe(0);
  });

  test('finds it in the repository of --base', async () => {
    await base.pushAll(to.place.open('elsewhere'), '1');
    expect(
      (await run(delta ?? '', `${to.host}/mirror`, '--base', `${to.host}/elsewhere`)).status,
    ).toBe(0);
  });

  test('finds it where a mapping says that the other repository went', async () => {
    await base.pushAll(to.place.open('moved'), '12');
    const { status } = await run(
      delta ?? '',
      `${to.host}/mirror`,
      '--map',
      `${from.host}/library/debian=${to.host}/moved`,
    );
    expect([status, await to.place.open('mirror/team/app').exists(layer)]).toEqual([0, true]);
  });

  test('goes into the local store after the earlier archive', async () => {
    expect((await run(delta ?? '')).status).toBe(3);
    await run(whole ?? '');
    expect((await run(delta ?? '')).status).toBe(0);
  });

  test('--dry-run reports missing layers', async () => {
    expect((await run('--dry-run', delta ?? '', to.host)).status).toBe(3);
    await run(whole ?? '', to.host);
    const before = writes();
    expect([(await run('--dry-run', delta ?? '', to.host)).status, writes()]).toEqual([0, before]);
  });
});
