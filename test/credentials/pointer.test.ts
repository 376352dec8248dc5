import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { createPointerSource } from '../../src/credentials/pointer.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('createPointerSource()', () => {
  const pointer = { username: 'alice', from: { kind: 'env', name: 'PW' } } as const;

  test('reads the variable', async () => {
    const source = createPointerSource(pointer, 'a.example', { env: { PW: 's3cret' }, cwd: '/' });
    expect(await source('a.example', undefined)).toEqual({
      credential: { kind: 'password', username: 'alice', password: 's3cret' },
      origin: 'the variable PW',
    });
  });

  test('finds nothing for another registry, such as a mirror', async () => {
    const source = createPointerSource(pointer, 'a.example', { env: { PW: 's3cret' }, cwd: '/' });
    expect(await source('mirror.example', undefined)).toBeUndefined();
  });

  test('reads the file relative to the current folder, without its last line break', async () => {
    const cwd = temporaryFolder();
    await writeFile(join(cwd, 'pw'), ' s3cret \r\n');
    const source = createPointerSource(
      { username: 'alice', from: { kind: 'file', path: 'pw' } },
      'a.example',
      { env: {}, cwd },
    );
    expect(await source('a.example', undefined)).toMatchObject({
      credential: { password: ' s3cret ' },
      origin: 'pw',
    });
  });

  test('fails when the variable or file is absent', async () => {
    const surroundings = { env: {}, cwd: temporaryFolder() };
    await expect(
      createPointerSource(pointer, 'a', surroundings)('a', undefined),
    ).rejects.toMatchObject({ code: 'INVALID_CONFIG', hint: 'export PW=…' });
    await expect(
      createPointerSource(
        { username: 'u', from: { kind: 'file', path: 'gone' } },
        'a',
        surroundings,
      )('a', undefined),
    ).rejects.toThrow('from gone');
  });
});
