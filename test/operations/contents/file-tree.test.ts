import { describe, expect, test } from 'vitest';

import { LIMITS } from '../../../src/limits.ts';
import { bytesOf } from '../../../src/bytes.ts';
import type { FileTree } from '../../../src/operations/contents/file-tree.ts';
import { treeOf } from '../../../src/operations/contents/list-layer.ts';
import { readTar } from '../../../src/tar/read-tar.ts';
import type { TarFile } from '../../../src/tar/tar-file.ts';
import { member } from '../../support/images/layered-image.ts';
import { buildTar, pax, type TarMember } from '../../support/images/tar-builder.ts';

const { file, folder, symlink, hardlink, whiteout, opaque } = member;

async function tree(...layers: readonly (readonly TarMember[])[]): Promise<FileTree> {
  return treeOf(await Promise.all(layers.map(list)));
}

async function list(members: readonly TarMember[]): Promise<readonly TarFile[]> {
  const files: TarFile[] = [];
  for await (const streamed of readTar(bytesOf(buildTar(members)))) files.push(streamed.file);
  return files;
}

/** Paths, folders with "/" behind; of the others the layer that has the content. */
function pathsOf(found: FileTree): readonly string[] {
  return [...found.walk()]
    .slice(1)
    .map(([path, node]) => (node.kind === 'folder' ? `${path}/` : `${path} ${node.own.layer}`));
}

describe('FileTree', () => {
  test.each([
    ['a file of the upper layer covers the lower', [[file('a')], [file('a')]], ['a 1']],
    [
      'names are the same with "./", "/" and "//"',
      [[file('./x/a')], [file('/x//a')]],
      ['x/', 'x/a 1'],
    ],
    ['a whiteout removes a file', [[file('d/a'), file('d/b')], [whiteout('d/a')]], ['d/', 'd/b 0']],
    ['a whiteout removes a folder with all in it', [[file('d/e/a')], [whiteout('d/e')]], ['d/']],
    [
      'a whiteout leaves what its own layer has put there, in whichever order',
      [[file('a')], [file('a'), whiteout('a')]],
      ['a 1'],
    ],
    [
      'a whiteout of a folder leaves what its own layer has put into it',
      [[file('d/a')], [file('d/b'), whiteout('d')]],
      ['d/', 'd/b 1'],
    ],
    [
      'a whiteout of nothing is nothing',
      [[file('a')], [whiteout('gone'), whiteout('no/folder')]],
      ['a 0'],
    ],
    [
      'an opaque folder hides what is below it',
      [
        [file('d/a'), file('d/e/b')],
        [folder('d'), opaque('d'), file('d/c')],
      ],
      ['d/', 'd/c 1'],
    ],
    [
      'an opaque folder hides it in whichever order',
      [[file('d/a')], [file('d/c'), opaque('d')]],
      ['d/', 'd/c 1'],
    ],
    [
      'an opaque root hides everything',
      [[file('a')], [file('b'), { name: '.wh..wh..opq' }]],
      ['b 1'],
    ],
    [
      'what is removed can come back',
      [[file('d/a')], [whiteout('d')], [file('d/b')]],
      ['d/', 'd/b 2'],
    ],
    ['a file takes the place of a folder', [[file('d/a')], [file('d')]], ['d 1']],
    [
      'a folder takes the place of a file',
      [[file('d')], [file('d2'), folder('d')]],
      ['d/', 'd2 1'],
    ],
    [
      'a folder takes the place of a link to one',
      [
        [folder('x'), symlink('d', 'x')],
        [folder('d'), file('d/a')],
      ],
      ['d/', 'd/a 1', 'x/'],
    ],
    ['a folder again keeps what is in it', [[file('d/a')], [folder('d', 0o700)]], ['d/', 'd/a 0']],
    [
      'files go through links to folders, as a runtime writes them',
      [[folder('usr/bin'), symlink('bin', 'usr/bin')], [file('bin/sh')]],
      ['bin 0', 'usr/', 'usr/bin/', 'usr/bin/sh 1'],
    ],
    [
      'whiteouts go through links as well',
      [[file('usr/bin/sh'), symlink('bin', 'usr/bin')], [whiteout('bin/sh')]],
      ['bin 0', 'usr/', 'usr/bin/'],
    ],
    [
      'an absolute link begins at the root of the image',
      [[folder('usr/bin'), symlink('bin', '/usr/bin')], [file('bin/sh')]],
      ['bin 0', 'usr/', 'usr/bin/', 'usr/bin/sh 1'],
    ],
    [
      '".." ends at the root of the image',
      [[file('../../etc/passwd'), symlink('up', '../../..'), file('up/a')]],
      ['a 0', 'etc/', 'etc/passwd 0', 'up 0'],
    ],
    [
      'a hard link has the content of the file that it names',
      [[file('a')], [hardlink('d/b', 'a')]],
      ['a 0', 'd/', 'd/b 0'],
    ],
    [
      'a hard link stays when its file goes',
      [[file('a'), hardlink('b', 'a')], [whiteout('a')]],
      ['b 0'],
    ],
    [
      "AUFS's own files are none of the image",
      [[file('.wh..wh.plnk/1.2'), file('.wh..wh.aufs'), file('a')]],
      ['a 0'],
    ],
    [
      'whiteouts of no name, "." and ".." remove nothing',
      [[file('d/a')], [file('d/.wh.'), file('d/.wh..'), file('d/.wh...')]],
      ['d/', 'd/a 0'],
    ],
  ] as const)('%s', async (_, layers, wanted) => {
    expect(pathsOf(await tree(...layers))).toEqual(wanted);
  });

  test('walk() sorts by bytes, parents before children', async () => {
    const found = await tree([file('b'), file('a/z'), file('a.txt'), file('Z'), folder('a')]);
    expect(pathsOf(found)).toEqual(['Z 0', 'a/', 'a/z 0', 'a.txt 0', 'b 0']);
  });

  test('find() follows links to the real path', async () => {
    const found = await tree([
      file('usr/lib/os-release'),
      symlink('etc/os-release', '../usr/lib/os-release'),
      symlink('lib', 'usr/lib'),
    ]);
    expect(found.find('etc/os-release', { last: true })?.path).toBe('usr/lib/os-release');
    expect(found.find('etc/os-release', { last: false })?.path).toBe('etc/os-release');
    expect(found.find('lib/os-release', { last: false })?.path).toBe('usr/lib/os-release');
    expect(found.find('lib/../lib/./os-release', { last: false })?.path).toBe('usr/lib/os-release');
  });

  test('find() returns undefined through a file, a cycle of links, or a broken link', async () => {
    const found = await tree([
      file('a'),
      symlink('x', 'y'),
      symlink('y', 'x'),
      symlink('gone', 'nowhere'),
    ]);
    for (const path of ['a/b', 'x', 'x/b', 'gone', 'gone/b'])
      expect(found.find(path, { last: true })).toBeUndefined();
  });

  test('a folder has the mode of the topmost layer', async () => {
    const found = await tree(
      [folder('d', 0o700), file('d/a')],
      [file('d/b')],
      [folder('d', 0o1777)],
    );
    expect(found.find('d', { last: true })?.node.own?.file.mode).toBe(0o1777);
  });

  test.each([
    [
      'a hard link to nothing',
      [[hardlink('b', 'gone')]],
      /expected a link to a file, found "gone"/,
    ],
    ['a hard link to a folder', [[folder('d'), hardlink('b', 'd')]], /expected a link to a file/],
    [
      'a hard link that leads out of the image',
      [[hardlink('b', '../../../etc/passwd')]],
      /expected a link to a file/,
    ],
    [
      'a file below a file',
      [[file('a'), file('a/b')]],
      /expected a folder "a", found something else/,
    ],
    [
      'a file below a circle of links',
      [[symlink('x', 'y'), symlink('y', 'x'), file('x/b')]],
      /expected a folder "x"/,
    ],
    [
      'a name longer than Linux has',
      [[pax({ path: 'n/'.repeat(LIMITS.pathBytes) }), file('x')]],
      /names of at most 4096 bytes/,
    ],
    [
      'a link longer than Linux has',
      [[pax({ linkpath: 'n/'.repeat(LIMITS.pathBytes) }), symlink('x', 'y')]],
      /names of at most 4096 bytes/,
    ],
    [
      'short names that links make long',
      [
        [
          pax({ path: `${'d/'.repeat(1500)}a` }),
          file('x'),
          pax({ linkpath: 'd/'.repeat(1500) }),
          symlink('l', 'y'),
          pax({ path: `l/${'e/'.repeat(1500)}a` }),
          file('x'),
        ],
      ],
      /names of at most 4096 bytes/,
    ],
    ['a root that is a file', [[file('./')]], /expected a folder as the root/],
  ] as const)('%s is refused', async (_, layers, message) => {
    await expect(tree(...layers)).rejects.toThrow(message);
  });
});
