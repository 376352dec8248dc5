import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { createPointerSource, parsePasswordPointer } from '../../src/credentials/pointer.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('parsePasswordPointer()', () => {
  test.each([
    ['alice:env:NAME', { username: 'alice', from: { kind: 'env', name: 'NAME' } }],
    ['robot$a+b:file:./x', { username: 'robot$a+b', from: { kind: 'file', path: './x' } }],
    ['alice:file:C:\\x:y', { username: 'alice', from: { kind: 'file', path: 'C:\\x:y' } }],
  ])('reads %s', (text, pointer) => {
    expect(parsePasswordPointer(text)).toEqual(pointer);
  });

  test.each(['', 'alice', 'alice:s3cret', 'alice:env:', ':env:X', 'alice:ENV:X', 'alice:vault:X'])(
    'refuses %j',
    (text) => {
      expect(parsePasswordPointer(text)).toBeUndefined();
    },
  );
});

describe('createPointerSource()', () => {
  const pointer = { username: 'alice', from: { kind: 'env', name: 'PW' } } as const;

  test('reads the variable', async () => {
    const source = createPointerSource(pointer, 'a.example', { env: { PW: 's3cret' }, cwd: '/' });
    expect(await source('a.example', undefined)).toEqual({
      credential: { kind: 'password', username: 'alice', password: 's3cret' },
      origin: 'the variable PW',
    });
  });

  test('answers for no other registry, such as a mirror', async () => {
    const source = createPointerSource(pointer, 'a.example', { env: { PW: 's3cret' }, cwd: '/' });
    expect(await source('mirror.example', undefined)).toBeUndefined();
  });

  test('reads the file, from the current folder and without its last line break', async () => {
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

  test('fails when there is nothing', async () => {
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
    ).rejects.toThrow('in gone');
  });
});
