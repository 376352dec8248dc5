import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { systemClock } from '../../../src/clock.ts';
import { main } from '../../../src/main.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { expectGolden } from '../../support/golden.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { makeLayered, member } from '../../support/images/layered-image.ts';
import type { TarMember } from '../../support/images/tar-builder.ts';
import { runMain } from '../../support/cli/run-main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const { file, folder, symlink, hardlink, whiteout } = member;

const BASE = [
  folder('etc'),
  file('etc/passwd', 'root\n', { mtime: 1_700_000_000 }),
  file('etc/same', 'the same size'),
  file('etc/shadow', 'secret', { mode: 0o600 }),
  file('etc/kind', 'a file'),
  symlink('etc/link', 'passwd'),
  hardlink('etc/again', 'etc/passwd'),
  file('doc/a', 'a'.repeat(3000)),
  file('doc/deep/b', 'b'),
  { name: 'dev/x', typeflag: '3' },
];

const BEFORE = makeLayered([BASE, [file('opt/old', 'old')]], {
  config: {
    Cmd: ['bash'],
    Env: ['PATH=/bin', 'LANG=C'],
    Labels: { version: '1', kept: 'yes' },
    ExposedPorts: { '80/tcp': {} },
  },
});
const AFTER = makeLayered(
  [
    BASE,
    [
      file('etc/passwd', 'root\n', { mtime: 1_800_000_000 }),
      file('etc/same', 'a other bytes'),
      file('etc/shadow', 'secret', { mode: 0o640 }),
      folder('etc/kind'),
      symlink('etc/link', 'shadow'),
      whiteout('doc'),
      file('opt/new', 'n'.repeat(2048)),
      symlink('opt/sh', '/bin/sh'),
    ],
    [file('etc/evil\n- \u001b[2J', 'evil')],
  ],
  {
    config: {
      Cmd: ['bash', '-l'],
      Env: ['PATH=/bin:/usr/bin', 'LANG=C'],
      Labels: { kept: 'yes' },
      ExposedPorts: { '80/tcp': {} },
      User: 'me',
    },
  },
);

let cwd: string;
let registry: FakeRegistry;

beforeAll(async () => {
  cwd = temporaryFolder('diff');
  const layout = await openLayout(join(cwd, 'app'), { create: true, clock: systemClock });
  await BEFORE.pushTo(layout, 'before');
  await AFTER.pushTo(layout, 'after');
  const place = createMemoryPlace();
  await BEFORE.pushTo(place.open('team/app'), 'before');
  await AFTER.pushTo(place.open('team/app'), 'after');
  registry = await startFakeRegistry({ place });
});

test('diff compares configs, layers and files', async () => {
  const { status, stdout, stderr } = await runMain(['diff', 'oci:app:before', 'oci:app:after'], {
    cwd,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expectGolden('test/golden/look/diff.txt', stdout);
});

test('diff --json is the golden rows', async () => {
  const { stdout } = await runMain(['diff', '--json', 'oci:app:before', 'oci:app:after'], { cwd });
  expectGolden('test/golden/look/diff.jsonl', stdout);
});

test('diff of swapped arguments prints the opposite', async () => {
  const { stdout } = await runMain(['diff', 'oci:app:after', 'oci:app:before'], { cwd });
  expect(stdout).toContain('file   -    2.0 KiB  /opt/new\n');
  expect(stdout).toContain('file   +    2.9 KiB  /doc/a\n');
});

test('diff reads layers that both have once', async () => {
  const [before, after] = ['before', 'after'].map((tag) => `${registry.host}/team/app:${tag}`);
  registry.forgetRequests();
  await runMain(['diff', before ?? '', after ?? '']);
  // Two configs and four different layers.
  expect(registry.count('GET', 'blob')).toBe(2 + 4);
});

test('diff --no-files reads no layer', async () => {
  registry.forgetRequests();
  const { stdout } = await runMain([
    'diff',
    '--no-files',
    `${registry.host}/team/app:before`,
    `${registry.host}/team/app:after`,
  ]);
  expect(registry.count('GET', 'blob')).toBe(2);
  expect(stdout).not.toMatch(/^file/m);
});

test('diff of an image and itself says so, and reads no layer', async () => {
  registry.forgetRequests();
  const { status, stderr } = await runMain(
    ['diff', `${registry.host}/team/app:before`, 'oci:app:before'],
    { cwd },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: 'Both are the same image\n' });
  expect(registry.count('GET', 'blob')).toBe(0);
});

test('diff compares by content: another build of the same files is the same', async () => {
  const layout = await openLayout(join(cwd, 'rebuilt'), { create: true, clock: systemClock });
  await makeLayered([[file('a', 'x', { mtime: 1 }), hardlink('b', 'a')]]).pushTo(layout, '1');
  await makeLayered([
    [folder('./'), file('./b', 'x', { mtime: 2 })],
    [file('./a', 'x', { mtime: 3 })],
  ]).pushTo(layout, '2');
  const { stdout } = await runMain(['diff', 'oci:rebuilt:1', 'oci:rebuilt:2'], { cwd });
  expect(stdout).toContain('The files are the same\n');
});

test('diff fits a terminal', async () => {
  const io = fakeIo({ isTTY: true, columns: 50, cwd });
  expect(await main(['diff', 'oci:app:before', 'oci:app:after'], io)).toBe(0);
  expect(
    Math.max(
      ...io
        .stdoutText()
        .split('\n')
        .map(({ length }) => length),
    ),
  ).toBeLessThan(50);
});

test('D13: diff reads no layer of images that have the same layers', async () => {
  const place = await startFakeRegistry();
  const layers = [BASE, [file('opt/old', 'old')]];
  await makeLayered(layers, { config: { User: 'a' } }).pushTo(place.place.open('app'), 'a');
  await makeLayered(layers, { config: { User: 'b' } }).pushTo(place.place.open('app'), 'b');
  const names = [`${place.host}/app:a`, `${place.host}/app:b`];
  const { status, stdout } = await runMain(['diff', '--json', ...names]);
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  const read = place.requests.filter(({ method, kind }) => method === 'GET' && kind === 'blob');
  // The two configs.
  expect([status, read.length]).toEqual([0, 2]);
  expect(rows.at(-1)).toEqual({
    kind: 'summary',
    added: 0,
    removed: 0,
    changed: 0,
    addedBytes: 0,
    removedBytes: 0,
  });
});

describe('D13: images that share their lower layers', () => {
  const base = [folder('etc'), file('etc/conf', 'old'), folder('app'), file('app/bin', 'b0')];
  const build = (text: string): readonly TarMember[] => [folder('app'), file('app/bin', text)];

  test.each([
    ['replace the same files', build('b1'), build('b2'), ['~ app/bin'], 2],
    ['change one folder', [folder('app', 0o700)], [folder('app')], ['~ app'], 2],
    [
      'add different files',
      build('b1'),
      [folder('app'), file('app/x', 'x')],
      ['~ app/bin', '+ app/x'],
      3,
    ],
    ['remove a file in one of them', [whiteout('etc/conf')], build('b0'), ['+ etc/conf'], 3],
    [
      'do not list their folders',
      [file('app/bin', 'b1')],
      [file('app/bin', 'b2')],
      ['~ app/bin'],
      3,
    ],
  ])('that %s', async (_, one, other, changes, count) => {
    const place = await startFakeRegistry();
    // Different bytes make different layers.
    await makeLayered([base, one]).pushTo(place.place.open('app'), 'a');
    await makeLayered([base, other]).pushTo(place.place.open('app'), 'b');
    const names = [`${place.host}/app:a`, `${place.host}/app:b`];
    const { stdout } = await runMain(['diff', '--json', ...names]);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; change: string; path: string });
    const signs: Record<string, string> = { added: '+', removed: '-', changed: '~' };
    expect(
      rows.flatMap(({ kind, change, path }) =>
        kind === 'file' ? [`${signs[change]} ${path}`] : [],
      ),
    ).toEqual(changes.map((text) => text.replace(' ', ' /')));
    const layers = place.requests.flatMap(({ method, kind, url }) =>
      method === 'GET' && kind === 'blob' ? [url] : [],
    );
    // Two configs.
    expect(new Set(layers).size - 2).toBe(count);
  });
});
