import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { beforeAll, expect, test } from 'vitest';

import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { realImages } from '../../support/images/rootfs.ts';
import { runOrThrow } from '../../support/programs/run-program.ts';
import { changedImage } from '../../support/images/changed-image.ts';
import { ROOT } from '../../support/root.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const ENV = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', LC_ALL: 'C.UTF-8' };

/**
 * Type, permissions, owner, size (of files), target of links and path of everything below a folder,
 * sorted by bytes.
 */
async function findLines(root: string): Promise<readonly string[]> {
  const format = String.raw`%y %04m %U %G %s %l %P\n`;
  const stdout = await runOrThrow('/usr/bin/find', [root, '-mindepth', '1', '-printf', format], {
    env: ENV,
  });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('f ') ? line : line.replace(/^((?:\S+ ){4})\d+/, '$10')))
    .sort();
}

const LETTERS: Readonly<Record<string, string>> = {
  file: 'f',
  folder: 'd',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
};

interface FileJson {
  readonly path: string;
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly link?: string;
}

async function regiLines(image: string): Promise<readonly string[]> {
  const { status, stdout, stderr } = await runRegi(['files', '--json', image]);
  if (status !== 0) throw new Error(stderr);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as FileJson)
    .map(
      ({ path, type, mode, uid, gid, size, link = '' }) =>
        `${LETTERS[type]} ${link === '' ? mode : '0777'} ${uid} ${gid} ${size} ${link} ${path.slice(1)}`,
    )
    .sort();
}

describeReal(
  'regi sees the files that umoci unpacks',
  ['umoci', 'buildah', 'skopeo', 'tar'],
  () => {
    const unpacked: string[] = [];
    let images: readonly string[] = [];

    beforeAll(async () => {
      const { image } = await realImages();
      images = [image, await changedImage(image)];
      for (const [index, name] of images.entries()) {
        const bundle = join(temporaryFolder('bundle'), String(index));
        await runOrThrow(
          requireTool('umoci'),
          ['unpack', '--image', name.slice('oci:'.length), bundle],
          { env: ENV },
        );
        unpacked.push(join(bundle, 'rootfs'));
      }
    });

    test.each([0, 1])('files lists the files that umoci unpacks of image %i', async (index) => {
      expect(await regiLines(images[index] ?? '')).toEqual(await findLines(unpacked[index] ?? ''));
    });

    test.each([0, 1])(
      'rootfs of image %i equals what umoci unpacks, including hard links and times',
      async (index) => {
        const folder = temporaryFolder('rootfs');
        const [tar, root] = [join(folder, 'rootfs.tar'), join(folder, 'root')];
        mkdirSync(root);
        const { status, stderr } = await runRegi(['rootfs', images[index] ?? '', '-o', tar]);
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        await runOrThrow(requireTool('tar'), ['-xpf', tar, '--xattrs', '-C', root], { env: ENV });
        expect(await findLines(root)).toEqual(await findLines(unpacked[index] ?? ''));
        expect(await contents(root)).toEqual(await contents(unpacked[index] ?? ''));
        expect(await linksAndTimes(root)).toEqual(await linksAndTimes(unpacked[index] ?? ''));
      },
    );

    test('diff finds the changes that find and sha256sum find', async () => {
      const { stdout } = await runRegi(['diff', '--json', images[0] ?? '', images[1] ?? '']);
      const rows = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as DiffJson);
      const found = rows
        .filter(({ kind }) => kind === 'file')
        .map(({ change, path = '' }) => `${change} ${path}`);
      const [before, after] = [await factsOf(unpacked[0] ?? ''), await factsOf(unpacked[1] ?? '')];
      const wanted = [...new Set([...before.keys(), ...after.keys()])].flatMap((path) => {
        const [old, now] = [before.get(path), after.get(path)];
        return old === now
          ? []
          : [`${old === undefined ? 'added' : now === undefined ? 'removed' : 'changed'} /${path}`];
      });
      expect(found.sort()).toEqual(wanted.sort());
      expect(found.length).toBeGreaterThan(10);
    });

    test('cat prints the bytes that umoci unpacks, small ones and large ones, through links', async () => {
      const root = unpacked[1] ?? '';
      const [largest = ''] = (
        await runOrThrow(
          '/bin/sh',
          [
            '-c',
            `cd ${root} && find . -type f -printf '%s %P\\n' | sort -rn | head -1 | cut -d' ' -f2-`,
          ],
          { env: ENV },
        )
      ).split('\n');
      const paths = [
        [largest, largest],
        ['/opt/changed/replaced', 'opt/changed/replaced'],
        ['opt/by-link/second', 'opt/changed/second'],
        ['/etc/os-release', 'usr/lib/os-release'],
      ] as const;
      for (const [path, real] of paths.filter((pair) => existsSync(join(root, pair[1])))) {
        const wanted = createHash('sha256');
        await pipeline(createReadStream(join(root, real)), wanted);
        const { stdout } = await runOrThrowBytes(['cat', images[1] ?? '', path]);
        expect(`${path} ${createHash('sha256').update(stdout).digest('hex')}`).toBe(
          `${path} ${wanted.digest('hex')}`,
        );
      }
    });
  },
);

/** `diff --recursive` finds every device different from itself. */
async function contents(root: string): Promise<readonly string[]> {
  const stdout = await runOrThrow(
    '/usr/bin/find',
    ['.', '-type', 'f', '-exec', 'sha256sum', '{}', '+'],
    { env: ENV, cwd: root },
  );
  return stdout.split('\n').sort();
}

interface DiffJson {
  readonly kind: string;
  readonly change?: string;
  readonly path?: string;
}

/** All that counts of each path: a line of find, and the digest of a file's content. */
async function factsOf(root: string): Promise<ReadonlyMap<string, string>> {
  const digests = new Map(
    (await contents(root)).map((line) => [line.slice(68), line.slice(0, 64)]),
  );
  const lines = await findLines(root);
  return new Map(
    lines.map((line) => {
      // Links hold no blanks in these images.
      const path = line.split(' ').slice(6).join(' ');
      return [path, `${line} ${digests.get(path) ?? ''}`];
    }),
  );
}

/** Names of one file stand together; times to the second. */
async function linksAndTimes(root: string): Promise<readonly string[]> {
  const stdout = await runOrThrow(
    '/usr/bin/find',
    [root, '-mindepth', '1', '-printf', String.raw`%n %Ts %P\n`],
    { env: ENV },
  );
  return stdout.split('\n').sort();
}

/** Through a file: output of a test program is kept as text. */
async function runOrThrowBytes(args: readonly string[]): Promise<{ readonly stdout: Buffer }> {
  const file = join(temporaryFolder('out'), 'bytes');
  await runOrThrow(
    '/bin/sh',
    ['-c', `exec "$@" > ${file}`, 'sh', process.execPath, join(ROOT, 'bin/regi.js'), ...args],
    { env: ENV },
  );
  return { stdout: readFileSync(file) };
}
