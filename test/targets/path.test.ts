import { mkdirSync, writeFileSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { COMMANDS } from '../../src/commands/index.ts';
import { main } from '../../src/main.ts';
import { formatReference } from '../../src/oci/reference.ts';
import type { Location } from '../../src/targets/location.ts';
import {
  parseDestinationLocation,
  parseSourceLocation,
  parseSourceRepository,
} from '../../src/targets/path.ts';
import { fakeIo } from '../support/cli/io.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let cwd: string;

/** A machine without a network. */
const NO_NAMES: LookupFunction = (_name, _options, callback) =>
  callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []);

beforeAll(() => {
  cwd = temporaryFolder('paths');
  for (const folder of ['oo', 'debian', 'stick', 'skopeo']) mkdirSync(join(cwd, folder));
  for (const file of [
    'oo/oci-layout',
    'debian/oci-layout',
    'skopeo/manifest.json',
    'skopeo/version',
    'x.tar',
    'x.tar.gz',
    'x.tgz',
    'x.tar.zst',
    'x.tar.xz',
    'x.tar.bz2',
    'x.img',
    'app',
    'stick/images.tar',
    'split.tar.001',
  ])
    writeFileSync(join(cwd, file), 'x');
});

describe('D7: one rule for paths', () => {
  test.each([
    ['./oo', 'oci:./oo'],
    ['./oo:1', 'oci:./oo:1'],
    ['./oo/', 'oci:./oo/'],
    ['./x.tar', 'archive:./x.tar'],
    ['./x.tar:debian:12', 'archive:./x.tar:debian:12'],
    ['./x.img', 'archive:./x.img'],
    ['./app', 'archive:./app'],
    ['./skopeo', 'dir:./skopeo'],
    ['./absent', 'oci:./absent'],
    ['./absent.tar', 'archive:./absent.tar'],
    ['./split.tar', 'archive:./split.tar'],
    ['../none/x.tgz', 'archive:../none/x.tgz'],
    ['/none/oo', 'oci:/none/oo'],
    ['.', 'oci:.'],
    ['x.tar', 'archive:x.tar'],
    ['x.tar.gz', 'archive:x.tar.gz'],
    ['x.tgz', 'archive:x.tgz'],
    ['x.tar.zst', 'archive:x.tar.zst'],
    ['x.tar.xz', 'archive:x.tar.xz'],
    ['x.tar.bz2', 'archive:x.tar.bz2'],
    ['split.tar', 'archive:split.tar'],
    ['stick/images.tar', 'archive:stick/images.tar'],
    ['oo', 'docker.io/library/oo'],
    ['debian', 'docker.io/library/debian'],
    ['debian:12', 'docker.io/library/debian:12'],
    ['app', 'docker.io/library/app'],
    ['x.img', 'docker.io/library/x.img'],
    ['absent.tar', 'docker.io/library/absent.tar'],
    ['x.tar:1', 'docker.io/library/x.tar:1'],
    ['registry.example/x.tar', 'registry.example/x.tar'],
    ['oci:oo', 'oci:oo'],
    ['archive:app', 'archive:app'],
    ['local:debian', 'local:docker.io/library/debian'],
  ])('parseSourceLocation() reads %s as %s', async (text, expected) => {
    expect(shown(await parseSourceLocation(text, { cwd }))).toBe(expected);
  });

  test('inspect says that an archive is not here when its name is read as a reference', async () => {
    const io = fakeIo({ cwd, lookup: NO_NAMES });
    expect(await main(['inspect', 'absent.tar', '--retry', '0'], io)).toBe(5);
    expect(io.stderrText()).toContain('this folder has no file "absent.tar": check its path');
  });

  test('parseSourceLocation() shows the path when the name of an archive stands before that of an image', async () => {
    await expect(parseSourceLocation('x.tar:team/app:1', { cwd })).rejects.toMatchObject({
      code: 'INVALID_REFERENCE',
      hint: 'for an image of the archive, write "./x.tar:team/app:1"',
    });
    await expect(parseSourceLocation('absent.tar:team/app:1', { cwd })).rejects.toMatchObject({
      hint: expect.not.stringContaining('archive'),
    });
  });

  test.each([
    ['./oo', 'oci:./oo'],
    ['./new', 'oci:./new'],
    ['./new.tar', 'archive:./new.tar'],
    ['x.tar', 'archive:x.tar'],
    ['new', 'docker.io/library/new'],
    ['new.tar:1', 'docker.io/library/new.tar:1'],
    ['docker://new.tar', 'docker.io/library/new.tar'],
  ])('parseDestinationLocation() reads %s as %s', async (text, expected) => {
    expect(shown(await parseDestinationLocation(text, { cwd }))).toBe(expected);
  });

  test('parseDestinationLocation() refuses the name of a new archive, which could be a repository', async () => {
    await expect(parseDestinationLocation('new.tar', { cwd })).rejects.toMatchObject({
      code: 'USAGE',
      hint: 'write "./new.tar" for a file, or "docker://new.tar"',
    });
  });

  test('parseSourceRepository() reads a path, and refuses the name of an image in it', async () => {
    expect(shown(await parseSourceRepository('./oo', { cwd }))).toBe('oci:./oo');
    await expect(parseSourceRepository('./oo:1', { cwd })).rejects.toMatchObject({
      code: 'INVALID_REFERENCE',
    });
  });

  test.each(readersOfImages())('regi %s takes a path', async (name, ...rest) => {
    const io = fakeIo({ cwd, env: { REGI_DATA: temporaryFolder('data') } });
    await main([...name.split(' '), './x.tar', ...rest], io);
    // The file is no archive, which only a command that opened it can tell.
    expect(io.stderrText()).toContain('x.tar');
    expect(io.stderrText()).not.toContain('expected a prefix');
    expect(io.stderrText()).not.toContain('docker.io');
  });

  test('a reference that fails hints at the path of that name', async () => {
    const io = fakeIo({ cwd, lookup: NO_NAMES, env: { REGI_DATA: join(cwd, 'none') } });
    expect(await main(['digest', '--retry', '0', 'oo:1'], io)).toBe(5);
    expect(io.stderrText()).toContain('for the path of that name in this folder, write "./oo"');
  });
});

/** Commands that read an image, with the arguments after it. */
function readersOfImages(): readonly (readonly [string, ...string[]])[] {
  const rest: Readonly<Record<string, readonly string[]>> = {
    copy: ['oci:./to'],
    push: ['registry.example/app'],
    cat: ['/etc/passwd'],
    export: ['-o', 'out.tar'],
    diff: ['./x.tar'],
    'blob get': [],
    rootfs: ['-o', 'rootfs.tar'],
  };
  const names = COMMANDS.filter(({ name, arguments: [first] }) =>
    ['copy', 'push', 'export', 'diff', 'verify', 'tags list'].includes(name)
      ? true
      : first?.name === 'LOC',
  ).map(({ name }) => name);
  return names.map((name) => [name, ...(rest[name] ?? [])]);
}

function shown(location: Location): string {
  if (!('path' in location)) {
    const name = formatReference(location.reference);
    return location.kind === 'local' ? `local:${name}` : name;
  }
  const { kind, path, reference } = location;
  return `${kind}:${path}${reference === undefined ? '' : `:${reference}`}`;
}
