import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { systemClock } from '../../../src/clock.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { expectGolden } from '../../support/golden.ts';
import { fakeIo } from '../../support/cli/io.ts';
import { makeLayered, member } from '../../support/images/layered-image.ts';
import { runMain, type MainResult } from '../../support/cli/run-main.ts';
import { main } from '../../../src/main.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const { file, folder, symlink, hardlink, whiteout, opaque } = member;
const BIG = 'b'.repeat(5 * 1024 * 1024);

const IMAGE = makeLayered([
  [
    folder('etc/'),
    file('etc/passwd', 'root:x:0:0\n', { mode: 0o644, mtime: 1_700_000_000 }),
    file('etc/gone', 'gone'),
    file('usr/bin/tool', 'tool\n', { mode: 0o4755 }),
    hardlink('usr/bin/again', 'usr/bin/tool'),
    symlink('bin', 'usr/bin'),
    { name: 'dev/null', typeflag: '3', mode: 0o666 },
    folder('tmp', 0o1777),
    file('cache/old', 'old'),
    file('big', BIG),
  ],
  [
    whiteout('etc/gone'),
    folder('cache'),
    opaque('cache'),
    file('cache/new', 'new'),
    file('etc/evil\u001b[31m\nname', 'evil'),
  ],
  [
    file('etc/passwd', 'root:x:0:0\nme:x:1:1\n'),
    symlink('etc/away', '../../outside'),
    symlink('etc/loop', 'loop'),
  ],
]);

let cwd: string;
let registry: FakeRegistry;

beforeAll(async () => {
  cwd = temporaryFolder('files');
  const layout = await openLayout(join(cwd, 'app'), { create: true, clock: systemClock });
  await IMAGE.pushTo(layout, '1');
  const place = createMemoryPlace();
  await IMAGE.pushTo(place.open('team/app'), '1');
  registry = await startFakeRegistry({ place });
});

function run(...argv: readonly string[]): Promise<MainResult> {
  return runMain(argv, { cwd });
}

describe('files', () => {
  test('files lists the merged file system of a container', async () => {
    const { status, stdout, stderr } = await run('files', 'oci:app:1');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expectGolden('test/golden/look/files.txt', stdout);
  });

  test('files -l is as tar -tv', async () => {
    expectGolden('test/golden/look/files-long.txt', (await run('files', '-l', 'oci:app:1')).stdout);
  });

  test('files reads an image of a registry, each layer once', async () => {
    registry.forgetRequests();
    const { stdout } = await run('files', `${registry.host}/team/app:1`);
    expect(stdout).toBe((await run('files', 'oci:app:1')).stdout);
    expect(registry.count('GET', 'blob')).toBe(IMAGE.layers.length);
  });

  test('files --json describes each', async () => {
    const { stdout } = await run('files', '--json', 'oci:app:1', '/etc/passwd');
    expect(JSON.parse(stdout)).toEqual({
      path: '/etc/passwd',
      type: 'file',
      mode: '0644',
      uid: 0,
      gid: 0,
      size: 20,
      modified: '1970-01-01T00:00:00.000Z',
      layer: IMAGE.layers[2]?.digest,
    });
  });

  test.each([
    ['a folder', ['/cache'], '/cache/new\n'],
    ['a folder without its "/"', ['cache/'], '/cache/new\n'],
    ['a file', ['etc/passwd'], '/etc/passwd\n'],
    ['a link to a folder', ['/bin'], '/usr/bin/again\n/usr/bin/tool\n'],
    [
      'what is in the folder itself',
      ['--depth', '1', '/'],
      ['/big', '/bin', '/cache', '/dev', '/etc', '/tmp', '/usr', ''].join('\n'),
    ],
  ])('files lists %s', async (_, args, wanted) => {
    expect(await run('files', 'oci:app:1', ...args)).toMatchObject({ status: 0, stdout: wanted });
  });

  test('files names the existing part of a missing path', async () => {
    expect(await run('files', 'oci:app:1', '/etc/no/such')).toMatchObject({
      status: 3,
      stdout: '',
      stderr:
        'regi: Cannot find "/etc/no/such" in "oci:app:1"\n  list the existing files: regi files oci:app:1 /etc\n',
    });
  });

  test('files refuses an artifact that has no layers of files', async () => {
    const layout = await openLayout(join(cwd, 'bad'), { create: true, clock: systemClock });
    await makeLayered([Buffer.from('{"sbom":true}'.repeat(100))]).pushTo(layout, 'x');
    const { status, stderr } = await run('files', 'oci:bad:x');
    expect(status).toBe(7);
    expect(stderr).toMatch(
      /Cannot read layer sha256:\w+ at byte 0: expected a tar, found other bytes/,
    );
  });
});

describe('cat', () => {
  test('cat prints files one after the other, and follows links', async () => {
    expect(await run('cat', 'oci:app:1', '/etc/passwd', 'bin/again')).toMatchObject({
      status: 0,
      stdout: 'root:x:0:0\nme:x:1:1\ntool\n',
      stderr: '',
    });
  });

  test('cat reads each layer once for a small file, also through a link of its name', async () => {
    registry.forgetRequests();
    expect(
      (await run('cat', `${registry.host}/team/app:1`, '/etc/passwd', '/bin/tool')).stdout,
    ).toBe('root:x:0:0\nme:x:1:1\ntool\n');
    expect(registry.count('GET', 'blob')).toBe(IMAGE.layers.length);
  });

  test('cat reads the layer of a large file once more, and no other', async () => {
    registry.forgetRequests();
    const { stdout } = await run('cat', `${registry.host}/team/app:1`, '/big');
    expect(stdout === BIG).toBe(true);
    expect(registry.count('GET', 'blob')).toBe(IMAGE.layers.length + 1);
  });

  test.each([
    [
      'a folder',
      '/etc',
      1,
      'Cannot print "/etc": it is a folder\n  list it: regi files oci:app:1 /etc',
    ],
    [
      'a device',
      '/dev/null',
      1,
      'Cannot print "/dev/null": expected a file, found a device or pipe\n  see what it is: regi files -l oci:app:1 /dev/null',
    ],
    [
      'what a layer removed',
      '/etc/gone',
      3,
      'Cannot find "/etc/gone" in "oci:app:1"\n  list the existing files: regi files oci:app:1 /etc',
    ],
    [
      'a link out of the image',
      '/etc/away',
      3,
      'Cannot find "/etc/away" in "oci:app:1"\n  "/etc/away" is a link to "../../outside", which is not in the image',
    ],
    [
      'a link to itself',
      '/etc/loop',
      3,
      'Cannot find "/etc/loop" in "oci:app:1"\n  "/etc/loop" is a link to "loop", which is not in the image',
    ],
    [
      'no file at all',
      '../../etc/shadow',
      3,
      'Cannot find "../../etc/shadow" in "oci:app:1"\n  list the existing files: regi files oci:app:1 /etc',
    ],
  ])('cat does not print %s', async (_, path, status, message) => {
    expect(await run('cat', 'oci:app:1', path)).toMatchObject({
      status,
      stdout: '',
      stderr: `regi: ${message}\n`,
    });
  });

  test('cat --json is refused', async () => {
    expect((await run('cat', '--json', 'oci:app:1', '/etc/passwd')).stderr).toContain(
      'regi files --json describes files',
    );
  });

  test('cat escapes control characters for a terminal, and refuses binary files', async () => {
    const layout = await openLayout(join(cwd, 'live'), { create: true, clock: systemClock });
    await makeLayered([
      [file('text', 'red \u001b[31m\nend'), file('program', '\u007fELF\0\0')],
    ]).pushTo(layout, 'x');
    const shown = fakeIo({ isTTY: true, cwd });
    expect(await main(['cat', 'oci:live:x', '/text'], shown)).toBe(0);
    expect(shown.stdoutText()).toBe('red \\x1b[31m\nend\n');
    const refused = fakeIo({ isTTY: true, cwd });
    expect(await main(['cat', 'oci:live:x', '/program'], refused)).toBe(1);
    expect(refused.stderrText()).toContain('Cannot show "/program" on a terminal: it is not text');
  });
});

describe('rootfs', () => {
  test('rootfs -o writes a tar that unpacks to the file system of a container', async () => {
    expect(await run('rootfs', 'oci:app:1', '-o', 'root.tar')).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    });
    const root = join(cwd, 'root');
    mkdirSync(root);
    execFileSync('tar', ['-xf', join(cwd, 'root.tar'), '-C', root, '--exclude', 'dev/null']);
    expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toBe('root:x:0:0\nme:x:1:1\n');
    expect(readFileSync(join(root, 'cache/new'), 'utf8')).toBe('new');
    expect([existsSync(join(root, 'cache/old')), existsSync(join(root, 'etc/gone'))]).toEqual([
      false,
      false,
    ]);
    expect(readlinkSync(join(root, 'bin'))).toBe('usr/bin');
    expect(statSync(join(root, 'usr/bin/tool')).ino).toBe(
      statSync(join(root, 'usr/bin/again')).ino,
    );
    expect(statSync(join(root, 'tmp')).mode % 0o10000).toBe(0o1777);
  });

  test('rootfs to standard output is the same tar', async () => {
    const io = fakeIo({ cwd });
    expect(await main(['rootfs', 'oci:app:1'], io)).toBe(0);
    await run('rootfs', 'oci:app:1', '-o', 'same.tar');
    expect(Buffer.compare(io.stdoutBytes(), readFileSync(join(cwd, 'same.tar')))).toBe(0);
  });

  test('rootfs --json prints digest and size', async () => {
    const { stdout } = await run('rootfs', '--json', 'oci:app:1', '-o', 'json.tar');
    expect(JSON.parse(stdout)).toEqual({
      digest: IMAGE.root.digest,
      size: statSync(join(cwd, 'json.tar')).size,
      path: 'json.tar',
    });
  });

  test('rootfs leaves no file when a layer does not match its digest', async () => {
    const layout = join(cwd, 'broken');
    const store = await openLayout(layout, { create: true, clock: systemClock });
    const image = makeLayered([[file('a', 'x'.repeat(100))]]);
    await image.pushTo(store, '1');
    const blob = join(
      layout,
      'blobs',
      'sha256',
      image.layers[0]?.digest.slice('sha256:'.length) ?? '',
    );
    const bytes = readFileSync(blob);
    bytes[bytes.byteLength - 1] = 0xff;
    writeFileSync(blob, bytes);
    expect((await run('rootfs', 'oci:broken:1', '-o', 'broken.tar')).status).toBe(7);
    expect(existsSync(join(cwd, 'broken.tar'))).toBe(false);
  });

  test('names that lead out of the image lead into it', async () => {
    const layout = await openLayout(join(cwd, 'traversal'), { create: true, clock: systemClock });
    await makeLayered([
      [
        file('../../../up', 'up'),
        file('/abs', 'abs'),
        symlink('out', '/'),
        file('out/through', 'through'),
      ],
    ]).pushTo(layout, '1');
    await run('rootfs', 'oci:traversal:1', '-o', 'traversal.tar');
    expect(execFileSync('tar', ['-tf', join(cwd, 'traversal.tar')], { encoding: 'utf8' })).toBe(
      'up\nabs\nout\nthrough\n',
    );
  });

  test('rootfs refuses JSON of its bytes', async () => {
    expect(JSON.parse((await run('rootfs', '--json', 'oci:app:1')).stderr)).toMatchObject({
      error: { code: 'USAGE', hint: 'add -o FILE, or drop --json' },
    });
  });

  test.each([
    ['a folder', ['-o', '.'], 'unpack the tar into it: regi rootfs oci:app:1 | tar -x -C .'],
    [
      'a folder that is not there',
      ['-o', 'new/'],
      'unpack the tar into it: regi rootfs oci:app:1 | tar -x -C new/',
    ],
  ])('rootfs refuses %s', async (_, args, hint) => {
    const { status, stderr } = await run('rootfs', 'oci:app:1', ...args);
    expect({ status, hint: stderr.split('\n')[1]?.trim() }).toEqual({ status: 2, hint });
  });
});

describe('D13: a file of an upper layer', () => {
  const base = [member.folder('etc'), member.file('etc/conf', 'old'), member.file('etc/base', 'b')];
  const link = [member.symlink('x', 'etc')];
  const listed = [member.folder('etc'), member.file('etc/conf', 'new')];
  const unlisted = [member.file('etc/conf', 'new')];

  test.each([
    ['the top layer, which lists its folder', [base, base, link, listed], 'etc/conf', 'new', 1],
    ['a layer below it', [base, link, listed, [member.file('other', 'o')]], 'etc/conf', 'new', 4],
    ['a layer that does not list its folder', [base, base, link, unlisted], 'etc/conf', 'new', 4],
    ['the base', [base, link, listed, listed], 'etc/base', 'b', 4],
    [
      'a link of the base',
      [base, base, link, [member.file('x/conf', 'odd')]],
      'etc/conf',
      'odd',
      4,
    ],
  ])('regi cat reads as many layers as it needs: %s', async (_, contents, path, text, count) => {
    const place = await startFakeRegistry();
    // Different bytes make different layers.
    const layers = contents.map((members, at) => [
      ...members,
      member.file(`only-${at}`, String(at)),
    ]);
    await makeLayered(layers).pushTo(place.place.open('app'), '1');
    const { stdout } = await runMain(['cat', `${place.host}/app:1`, path]);
    const read = new Set(
      place.requests.flatMap(({ method, url, kind }) =>
        method === 'GET' && kind === 'blob' ? [url] : [],
      ),
    );
    expect([stdout, read.size]).toEqual([text, count]);
  });
});
