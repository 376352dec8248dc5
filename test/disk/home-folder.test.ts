import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { guarded, ifPresent, NO_HOME } from '../../src/disk/errno.ts';
import { usableHome } from '../../src/disk/home-folder.ts';
import { makeFolder } from '../../src/disk/make-folder.ts';
import { statRegular } from '../../src/disk/regular-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('NO_HOME', () => {
  test('C1: NO_HOME contains no file', async () => {
    expect(await statRegular(join(NO_HOME, '.docker/config.json'))).toBeUndefined();
    expect(await ifPresent('read', NO_HOME, Promise.resolve(1))).toBe(1);
  });

  test('C1: NO_HOME takes no file, and the error says why', async () => {
    const folder = join(NO_HOME, '.local/share');
    await expect(guarded('write', folder, makeFolder(folder))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: 'Cannot write files of the user: there is no home folder',
      hint: 'set HOME to a folder of yours',
    });
  });
});

describe('usableHome()', () => {
  const home = temporaryFolder('home');

  test('C9: usableHome() returns the home of the user, and one that can be read', () => {
    expect(usableHome(home, process.getuid?.())).toEqual({ path: home });
    mkdirSync(join(home, '.docker'));
    expect(usableHome(home, 4711)).toEqual({ path: home });
    expect(usableHome(join(home, 'absent'), 4711)).toEqual({ path: join(home, 'absent') });
    expect(usableHome(home, undefined)).toEqual({ path: home });
  });
});
