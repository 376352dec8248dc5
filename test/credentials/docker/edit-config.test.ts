import {
  chmod,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import {
  markAsKeptByHelper,
  removeEntriesOfHost,
  removeEntry,
  writePlainLogin,
} from '../../../src/credentials/docker/edit-config.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const LOGIN = { username: 'ci', password: 'a:b' };

function fileIn(folder: string) {
  return { path: join(folder, 'config.json'), shown: 'config.json' };
}

async function configWith(text: string, mode = 0o644) {
  const file = fileIn(temporaryFolder());
  await writeFile(file.path, text);
  await chmod(file.path, mode);
  return file;
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode % 0o1000;
}

describe('writePlainLogin()', () => {
  test('C6: writePlainLogin() writes to the member that docker reads, whatever its case', async () => {
    const file = await configWith('{"Auths":{"a":{"Auth":"b2xkOm9sZA==","email":"e"},"b":{}}}');
    await writePlainLogin(file, 'a', LOGIN);
    expect(JSON.parse(await readFile(file.path, 'utf8'))).toEqual({
      Auths: { a: { auth: 'Y2k6YTpi', email: 'e' }, b: {} },
    });
  });

  test('creates folder and file for their owner only', async () => {
    const folder = join(temporaryFolder(), 'new');
    await writePlainLogin(fileIn(folder), 'a.example', LOGIN);
    expect(await readFile(join(folder, 'config.json'), 'utf8')).toBe(
      '{\n\t"auths": {\n\t\t"a.example": {\n\t\t\t"auth": "Y2k6YTpi"\n\t\t}\n\t}\n}',
    );
    expect([await modeOf(folder), await modeOf(join(folder, 'config.json'))]).toEqual([
      0o700, 0o600,
    ]);
  });

  test('keeps unknown members, their order and the layout', async () => {
    const file = await configWith(
      '{\n  "z": [1],\n  "auths": {\n    "b": {\n      "email": "x"\n    }\n  },\n  "a": {}\n}\n',
    );
    await writePlainLogin(file, 'b', LOGIN);
    expect(await readFile(file.path, 'utf8')).toBe(
      '{\n  "z": [1],\n  "auths": {\n    "b": {\n      "email": "x",\n      "auth": "Y2k6YTpi"\n    }\n  },\n  "a": {}\n}\n'.replace(
        '[1]',
        '[\n    1\n  ]',
      ),
    );
  });

  test.each([
    [0o644, 0o600],
    [0o600, 0o600],
    [0o400, 0o400],
  ])('makes mode %o %o', async (before, after) => {
    const file = await configWith('{}', before);
    await writePlainLogin(file, 'a', LOGIN);
    expect(await modeOf(file.path)).toBe(after);
  });

  test('writes the target of a link, and keeps the link', async () => {
    const folder = temporaryFolder();
    await mkdir(join(folder, 'real'));
    await writeFile(join(folder, 'real', 'c.json'), '{}');
    await symlink('real/c.json', join(folder, 'config.json'));
    await writePlainLogin(fileIn(folder), 'a', LOGIN);
    expect(await readlink(join(folder, 'config.json'))).toBe('real/c.json');
    expect(await readFile(join(folder, 'real', 'c.json'), 'utf8')).toContain('Y2k6YTpi');
    expect(await readdir(join(folder, 'real'))).toEqual(['c.json']);
  });

  test('follows a link to an absent file', async () => {
    const folder = temporaryFolder();
    await symlink('later.json', join(folder, 'config.json'));
    await writePlainLogin(fileIn(folder), 'a', LOGIN);
    expect(await readFile(join(folder, 'later.json'), 'utf8')).toContain('Y2k6YTpi');
  });

  test('does not change a malformed file', async () => {
    const file = await configWith('{"auths":');
    await expect(writePlainLogin(file, 'a', LOGIN)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
    });
    expect(await readFile(file.path, 'utf8')).toBe('{"auths":');
  });

  test('names the file that it cannot write', async () => {
    const folder = temporaryFolder();
    await writeFile(join(folder, 'no-folder'), '');
    const error = writePlainLogin(
      { path: join(folder, 'no-folder', 'x', 'config.json'), shown: '~/x' },
      'a',
      LOGIN,
    );
    await expect(error).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('Cannot write "~/x"'),
    });
  });
});

describe('markAsKeptByHelper()', () => {
  test('leaves the empty entry, and removes other keys of the host', async () => {
    const file = await configWith(
      '{"auths":{"a":{"auth":"eDp5","email":"m"},"https://a/v1/":{"auth":"eDp5"},"b":{"auth":"eDp5"}}}',
    );
    await markAsKeptByHelper(file, 'a');
    expect(JSON.parse(await readFile(file.path, 'utf8'))).toEqual({
      auths: { a: { email: 'm' }, b: { auth: 'eDp5' } },
    });
  });
});

describe('removeEntriesOfHost()', () => {
  test('removes every key of the host', async () => {
    const file = await configWith(
      '{"auths":{"a":{"auth":"eDp5"},"http://a/v2/":{},"a:5000":{"auth":"eDp5"}}}',
    );
    await removeEntriesOfHost(file, 'a');
    expect(JSON.parse(await readFile(file.path, 'utf8'))).toEqual({
      auths: { 'a:5000': { auth: 'eDp5' } },
    });
  });
});

describe('removeEntry()', () => {
  test.each([0o644, 0o640, 0o600])(
    'keeps the mode %o of a file to which it brings no secret',
    async (mode) => {
      const file = await configWith('{ "auths": {"a":{}} }', mode);
      await removeEntry(file, 'a');
      expect(await modeOf(file.path)).toBe(mode);
    },
  );

  test('does not write a file without changes', async () => {
    const file = await configWith('{ "auths": {"a":{}} }', 0o644);
    await removeEntry(file, 'b');
    expect(await readFile(file.path, 'utf8')).toBe('{ "auths": {"a":{}} }');
    expect(await modeOf(file.path)).toBe(0o644);
  });
});

describe('several changes at once', () => {
  test('are all kept', async () => {
    const file = await configWith('{"auths":{"before":{"auth":"eDp5"}}}');
    const hosts = Array.from({ length: 20 }, (_, index) => `host-${index}`);
    await Promise.all([
      ...hosts.map((host) => writePlainLogin(file, host, LOGIN)),
      removeEntry(file, 'before'),
    ]);
    const { auths } = JSON.parse(await readFile(file.path, 'utf8')) as { auths: object };
    expect(Object.keys(auths).toSorted()).toEqual(hosts.toSorted());
    expect(await readdir(join(file.path, '..'))).toEqual(['config.json']);
  });
});
