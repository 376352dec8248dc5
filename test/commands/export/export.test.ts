import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { openForTest } from '../../support/images/archives.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { main } from '../../../src/main.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll } from '../../support/registries/watched.ts';

const [base, next] = [
  makeImage({ seed: 1, layers: [50_000, 10] }),
  makeImage({ seed: 1, layers: [50_000, 20] }),
];
const index = makeIndex({ seed: 5 });
const signature = makeArtifact({ subject: index.root, seed: 9, size: 100 });

let registry: FakeRegistry;
let cwd: string;

beforeAll(async () => {
  registry = await startFakeRegistry();
  await base.pushAll(registry.place.open('library/debian'), '12');
  await index.pushAll(registry.place.open('library/debian'), '13');
  await next.pushAll(registry.place.open('team/app'), '12');
  await index.pushAll(registry.place.open('team/app'), '1.0');
  await signature.pushAll(registry.place.open('team/app'));
});

beforeEach(() => {
  cwd = temporaryFolder('export');
  registry.forgetRequests();
});

function run(...args: readonly string[]): Promise<MainResult> {
  return runMain(['export', ...args], { cwd });
}

function ref(name: string): string {
  return `${registry.host}/${name}`;
}

async function namesIn(file: string): Promise<readonly (string | undefined)[]> {
  return (await (await openForTest(join(cwd, file))).images()).map(({ name }) => name);
}

describe('regi export', () => {
  test('prints a line an image, and the archive has each under its full name', async () => {
    const { status, stdout } = await run(
      ref('library/debian:12'),
      ref('team/app:1.0'),
      '-o',
      'b.tar',
    );
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `archive:b.tar@${base.root.digest}\narchive:b.tar@${index.root.digest}\n`,
    });
    expect(await namesIn('b.tar')).toEqual([ref('library/debian:12'), ref('team/app:1.0')]);
    expect(readdirSync(cwd)).toEqual(['b.tar']);
  });

  test('fetches content that several images share once', async () => {
    await run(ref('library/debian:12'), ref('team/app:12'), '-o', 'b.tar');
    const blobs = new Set(
      [...base.layers, base.config, ...next.layers, next.config].map(({ digest }) => digest),
    );
    expect(registry.count('GET', 'blob')).toBe(blobs.size);
  });

  test('an image of many layers triggers no leak warning of Node', async () => {
    await makeImage({ layers: Array.from({ length: 30 }, (_, at) => 10 + at) }).pushAll(
      registry.place.open('many'),
      '1',
    );
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    try {
      await run(ref('many:1'), '-o', 'b.tar');
      await setImmediate();
    } finally {
      process.off('warning', listen);
    }
    expect(warnings).toEqual([]);
  });

  test('--json names each image with where it is', async () => {
    const { stdout } = await run('--json', ref('library/debian:12'), '-o', 'b.tar');
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'archive:b.tar',
      image: `archive:b.tar:${ref('library/debian:12')}`,
      digest: base.root.digest,
    });
  });

  test('with a tag and a digest the tag is the name', async () => {
    const { stdout } = await run(
      '--json',
      ref(`library/debian:12@${base.root.digest}`),
      '-o',
      'b.tar',
    );
    expect(JSON.parse(stdout)).toMatchObject({
      image: `archive:b.tar:${ref('library/debian:12')}`,
    });
    expect(await namesIn('b.tar')).toEqual([ref('library/debian:12')]);
  });

  test('--tags exports the matching tags of each repository', async () => {
    expect(
      (
        await run(
          '--tags',
          '1*',
          '--tags',
          '!13',
          ref('library/debian'),
          ref('team/app'),
          '-o',
          'b.tar',
        )
      ).status,
    ).toBe(0);
    expect(await namesIn('b.tar')).toEqual([
      ref('library/debian:12'),
      ref('team/app:1.0'),
      ref('team/app:12'),
    ]);
  });

  test('--all-tags exports every tag', async () => {
    await run('--all-tags', ref('library/debian'), '-o', 'b.tar');
    expect(await namesIn('b.tar')).toEqual([ref('library/debian:12'), ref('library/debian:13')]);
  });

  test('--from adds the images of a list, under the names it gives them', async () => {
    writeFileSync(
      join(cwd, 'list'),
      `# what we need\n${ref('team/app:1.0')}\n\n${ref('team/app:12')} app.example/renamed\n`,
    );
    await run(ref('library/debian:12'), '--from', 'list', '-o', 'b.tar');
    expect(await namesIn('b.tar')).toEqual([
      ref('library/debian:12'),
      ref('team/app:1.0'),
      'app.example/renamed:latest',
    ]);
  });

  test('exports all images of an archive without a name, with their names', async () => {
    await run(ref('library/debian:12'), ref('team/app:12'), '-o', 'b.tar');
    await run('archive:b.tar', ref('library/debian:13'), '-o', 'more.tar');
    expect(await namesIn('more.tar')).toEqual([
      ref('library/debian:12'),
      ref('team/app:12'),
      ref('library/debian:13'),
    ]);
  });

  test('exports all images of a layout without a name, with their names', async () => {
    await runMain(['copy', ref('library/debian:12'), 'oci:images:a'], { cwd });
    await runMain(['copy', ref('team/app:12'), `oci:images:${ref('team/app:12')}`], { cwd });
    await run('oci:images', '-o', 'b.tar');
    expect(await namesIn('b.tar')).toEqual(['a', ref('team/app:12')]);
  });

  test('--platform narrows an index', async () => {
    const { stdout } = await run('--platform', 'linux/arm64', ref('team/app:1.0'), '-o', 'b.tar');
    expect(stdout).toBe(`archive:b.tar@${index.images[1]?.root.digest}\n`);
  });

  test.each([
    ['is missing', { kind: 'respond', status: 404, body: '' } as const],
    ['is damaged', { kind: 'respond', status: 200, body: 'x'.repeat(70) } as const],
  ])(
    '--referrers leaves out a referrer whose blob %s, names it, and the status is 8',
    async (_, action) => {
      const image = makeImage({ seed: 61 });
      const [bad, good] = [
        makeArtifact({ subject: image.root, seed: 62, size: 70 }),
        makeArtifact({ subject: image.root, seed: 63, size: 80 }),
      ];
      const from = registry.place.open('team/signed');
      await image.pushAll(from, '1');
      for (const artifact of [bad, good]) await artifact.pushAll(from);
      registry.fault({
        match: { method: 'GET', path: new RegExp(`/blobs/${bad.layers[0]?.digest ?? ''}`) },
        action,
        times: 99,
      });
      const { status, stdout, stderr } = await run(
        '--referrers',
        ref('team/signed:1'),
        '-o',
        's.tar',
      );
      registry.forgetFaults();
      expect([status, stdout]).toEqual([8, expect.stringContaining(image.root.digest)]);
      expect(stderr).toContain(bad.layers[0]?.digest);
      expect((await runMain(['verify', './s.tar'], { cwd })).status).toBe(0);
      expect(await namesIn('s.tar')).toEqual([
        expect.stringContaining('team/signed:1'),
        expect.stringContaining(good.root.digest),
      ]);
    },
  );

  test('--referrers reads each of their blobs once', async () => {
    await run('--referrers', ref('team/app:1.0'), '-o', 'b.tar');
    const blob = signature.layers[0]?.digest ?? '';
    expect(registry.requests.filter(({ url }) => url.endsWith(blob))).toHaveLength(1);
  });

  test('--referrers includes signatures, and prints no line for them', async () => {
    const { stdout } = await run('--referrers', ref('team/app:1.0'), '-o', 'b.tar');
    expect(stdout).toBe(`archive:b.tar@${index.root.digest}\n`);
    const archive = await openForTest(join(cwd, 'b.tar'));
    expect(
      (await listAll(archive.open('team/app').listReferrers(index.root))).map(
        ({ digest }) => digest,
      ),
    ).toEqual([signature.root.digest]);
  });

  test('-o - writes the archive to standard output, the same bytes, and the line elsewhere', async () => {
    await run(ref('team/app:1.0'), '-o', 'b.tar');
    const io = fakeIo({ cwd, home: cwd });
    expect(await main(['export', ref('team/app:1.0'), '-o', '-'], io)).toBe(0);
    expect(Buffer.compare(io.stdoutBytes(), readFileSync(join(cwd, 'b.tar')))).toBe(0);
    expect(io.stderrText()).toContain(`archive:-:${ref('team/app:1.0')}@${index.root.digest}`);
  });

  test('-o - says in two lines that the program which reads it has ended', async () => {
    for (const argv of [
      ['export', '-o', '-'],
      ['pull', '-o', '-'],
    ]) {
      const io = fakeIo({ cwd, home: cwd, stdoutBreaksAt: 1 });
      expect(await main([...argv, ref('team/app:1.0'), '-q'], io)).toBe(1);
      expect(io.stderrText()).toMatch(
        /^regi: Cannot write the archive to standard output: the program that reads it has ended\n {2}\S.+\n$/,
      );
    }
  });

  test('docker-archive: writes the old format', async () => {
    expect((await run(ref('team/app:1.0'), '-o', 'docker-archive:b.tar')).status).toBe(0);
    expect((await openForTest(join(cwd, 'b.tar'))).format).toBe('docker');
  });

  test('--dry-run says how large the archive would be and writes nothing', async () => {
    const { status, stdout, stderr } = await run(
      '--dry-run',
      ref('library/debian:12'),
      '-o',
      'b.tar',
    );
    expect({ status, files: readdirSync(cwd) }).toEqual({ status: 0, files: [] });
    const real = await run(ref('library/debian:12'), '-o', 'b.tar');
    expect(stdout).toBe(real.stdout);
    expect(stderr).toMatch(/^to write: \d+ blobs \(.+\); nothing was written$/m);
    expect(stderr).toContain(`(${readFileSync(join(cwd, 'b.tar')).byteLength} bytes)`);
  });

  test('D5: --dry-run --json has a row for each image, and the totals on standard error', async () => {
    const images = [ref('library/debian:12'), ref('team/app:1.0')];
    const { stdout, stderr } = await run('--dry-run', '--json', ...images, '-o', 'b.tar');
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(rows).toMatchObject([{ outcome: 'would-copy' }, { outcome: 'would-copy' }]);
    expect(JSON.parse(stderr)).toMatchObject({
      kind: 'summary',
      dryRun: true,
      images: { tagged: 2, unchanged: 0, kept: 0, failed: 0 },
    });
  });

  test('--checksum writes a file that sha256sum -c accepts', async () => {
    await run('--checksum', ref('library/debian:12'), '-o', 'b.tar');
    const sum = createHash('sha256')
      .update(readFileSync(join(cwd, 'b.tar')))
      .digest('hex');
    expect(readFileSync(join(cwd, 'b.tar.sha256'), 'utf8')).toBe(`${sum}  b.tar\n`);
  });
});

describe('regi export --split', () => {
  test('writes several files, which are read as one, and a checksum of each', async () => {
    expect(
      (await run('--split', '30k', '--checksum', ref('library/debian:12'), '-o', 'b.tar')).status,
    ).toBe(0);
    expect(readdirSync(cwd)).toEqual(['b.tar.001', 'b.tar.002', 'b.tar.sha256']);
    expect(readFileSync(join(cwd, 'b.tar.sha256'), 'utf8')).toMatch(
      /^[0-9a-f]{64} {2}b\.tar\.001\n[0-9a-f]{64} {2}b\.tar\.002\n$/,
    );
    for (const name of ['b.tar', 'b.tar.001', 'b.tar.002']) {
      expect((await runMain(['digest', `archive:${name}`], { cwd })).stdout).toBe(
        `${base.root.digest}\n`,
      );
    }
  });

  test('the files together are the bytes of the one', async () => {
    await run('--split', '30k', ref('library/debian:12'), '-o', 'parts.tar');
    await run(ref('library/debian:12'), '-o', 'one.tar');
    const parts = Buffer.concat([
      readFileSync(join(cwd, 'parts.tar.001')),
      readFileSync(join(cwd, 'parts.tar.002')),
    ]);
    expect(Buffer.compare(parts, readFileSync(join(cwd, 'one.tar')))).toBe(0);
  });

  test('an export into fewer files removes the surplus old ones', async () => {
    await run('--split', '20k', ref('library/debian:12'), '-o', 'b.tar');
    expect(readdirSync(cwd)).toHaveLength(3);
    await run('--split', '40k', ref('library/debian:12'), '-o', 'b.tar');
    expect(readdirSync(cwd)).toEqual(['b.tar.001', 'b.tar.002']);
  });

  test.each([
    ['the first is missing', 'b.tar.001', undefined, 3, 'expected "b.tar.001", found none'],
    ['one between is missing', 'b.tar.002', undefined, 3, 'expected "b.tar.002", found none'],
    ['one between is cut', 'b.tar.002', '', 7, '"b.tar.002", found 0'],
    ['the last is missing', 'b.tar.003', undefined, 7, 'in 2 files at byte'],
    ['the last is cut', 'b.tar.003', 'x', 7, 'in 3 files at byte'],
  ])('says so when %s', async (_what, name, content, status, problem) => {
    await run('--split', '20k', ref('library/debian:12'), '-o', 'b.tar');
    if (content === undefined) rmSync(join(cwd, name));
    else writeFileSync(join(cwd, name), content);
    const cut = await runMain(['verify', 'archive:b.tar'], { cwd });
    expect([cut.status, cut.stderr]).toEqual([status, expect.stringContaining(problem)]);
  });

  test('a single file whose name ends with a number is not a volume', async () => {
    await run(ref('library/debian:12'), '-o', 'b.tar.005');
    expect((await runMain(['digest', 'archive:b.tar.005'], { cwd })).stdout).toBe(
      `${base.root.digest}\n`,
    );
  });
});

describe('regi export --since', () => {
  beforeEach(async () => {
    await run(ref('library/debian:12'), '-o', 'b.tar', '--write-list', 'b.json');
  });

  test.each(['b.tar', 'b.json'])(
    'leaves out the layers of %s, also for another repository',
    async (since) => {
      const { status, stdout, stderr } = await run(
        '--since',
        since,
        ref('team/app:12'),
        '-o',
        'delta.tar',
      );
      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: `archive:delta.tar@${next.root.digest}\n`,
      });
      expect(stderr).toContain('1 layer (');
      const delta = await openForTest(join(cwd, 'delta.tar'));
      const there = await Promise.all(
        [next.root, next.config, ...next.layers].map((node) => delta.open('').exists(node)),
      );
      expect(there).toEqual([true, true, false, true]);
      expect(delta.omitted).toEqual([
        {
          digest: next.layers[0]?.digest,
          size: next.layers[0]?.size,
          repositories: [ref('library/debian')],
        },
      ]);
    },
  );

  test('--write-list includes the layers of the earlier archive', async () => {
    await run(
      '--since',
      'b.json',
      ref('team/app:12'),
      '-o',
      'delta.tar',
      '--write-list',
      'all.json',
    );
    const { blobs } = JSON.parse(readFileSync(join(cwd, 'all.json'), 'utf8')) as {
      blobs: { digest: string; repositories: string[] }[];
    };
    expect(blobs.map(({ digest }) => digest)).toEqual(
      [...new Set([...base.layers, ...next.layers].map(({ digest }) => digest))].toSorted(),
    );
    expect(blobs.find(({ digest }) => digest === base.layers[0]?.digest)?.repositories).toEqual([
      ref('library/debian'),
      ref('team/app'),
    ]);
  });

  test('says when the earlier archive has nothing of these images', async () => {
    const { stderr } = await run('--since', 'b.tar', ref('team/app:1.0'), '-o', 'delta.tar');
    expect(stderr).toContain('Nothing is left out');
  });

  test.each([
    ['nothing.tar', 3, 'Cannot open the archive'],
    ['garbage', 7, 'expected a tar, found a text'],
    ['broken.json', 7, 'Cannot read the list "broken.json"'],
  ])('refuses %s before anything is asked for', async (since, status, problem) => {
    writeFileSync(join(cwd, 'garbage'), 'x'.repeat(1000));
    writeFileSync(join(cwd, 'broken.json'), '{"regi":');
    registry.forgetRequests();
    const result = await run('--since', since, ref('team/app:12'), '-o', 'delta.tar');
    expect([result.status, result.stderr, registry.requests.length]).toEqual([
      status,
      expect.stringContaining(problem),
      0,
    ]);
    expect(existsSync(join(cwd, 'delta.tar'))).toBe(false);
  });
});

describe('regi export refuses', () => {
  test.each([
    [['debian:12'], 'expected -o FILE'],
    [['debian:12', '-'], 'expected images and a file'],
    [['-o', 'b.tar'], 'expected an image'],
    [['debian', '-o', 'folder/'], 'found a folder'],
    [['debian', '-o', 'here'], 'found a folder'],
    [['debian', '-o', 'archive:b.tar:12'], 'without the name of an image'],
    [['debian', '-o', '-', '--split', '4G'], 'Cannot use --split'],
    [['debian', '-o', '-', '--checksum'], 'Cannot use --checksum'],
    [['debian', '-o', 'docker-archive:b.tar', '--since', 'x'], 'Cannot use --since'],
    [['debian:12', '--all-tags', '-o', 'b.tar'], 'expected a name alone'],
    [['debian', '-o', 'b.tar', '--split', 'x'], 'expected a number of bytes'],
  ])('%j', async (args, problem) => {
    mkdirSync(join(cwd, 'here'));
    const { status, stderr } = await run(...args);
    expect([status, stderr]).toEqual([2, expect.stringContaining(problem)]);
  });

  test('a malformed line of a list, before the first request', async () => {
    writeFileSync(join(cwd, 'list'), `${ref('team/app:1.0')}\nUPPER case extra\n`);
    const { status, stderr } = await run('--from', 'list', '-o', 'b.tar');
    expect([status, stderr, registry.requests.length]).toEqual([
      2,
      expect.stringContaining('line 2 of "list"'),
      0,
    ]);
  });

  test('to write anything when one image is missing', async () => {
    const { status, stderr } = await run(
      ref('library/debian:12'),
      ref('library/debian:nope'),
      '-o',
      'b.tar',
    );
    expect([status, stderr]).toEqual([
      3,
      expect.stringContaining(`Cannot archive "${ref('library/debian:nope')}"`),
    ]);
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('more parts than names count', async () => {
    const { status, stderr } = await run('--split', '10', ref('library/debian:12'), '-o', 'b.tar');
    expect([status, stderr]).toEqual([1, expect.stringContaining('expected at most 999 parts')]);
  });
});
