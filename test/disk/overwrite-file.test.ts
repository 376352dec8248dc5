import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { overwriteFile } from '../../src/disk/private-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

async function fileWith(text: string): Promise<string> {
  const path = join(temporaryFolder(), 'config.json');
  await writeFile(path, text);
  return path;
}

test.each([
  ['a longer text', '{}', '{"auths":{"ä":{}}}'],
  ['a shorter text', '{"auths":{"a.example":{"auth":"YTpi"}}}', '{}'],
  ['a text where there was none', '', '{}'],
])('overwriteFile() writes %s', async (_what, before, after) => {
  const path = await fileWith(before);
  await overwriteFile(path, after, 0o600);
  expect(await readFile(path, 'utf8')).toBe(after);
});

test('overwriteFile() keeps the file itself, and gives it the mode', async () => {
  const path = await fileWith('{"a":1}');
  const { ino } = await stat(path);
  await overwriteFile(path, '{"b":2}', 0o400);
  const after = await stat(path);
  expect([after.ino, after.mode % 0o1000]).toEqual([ino, 0o400]);
});

test('overwriteFile() makes no file', async () => {
  await expect(
    overwriteFile(join(temporaryFolder(), 'config.json'), '{}', 0o600),
  ).rejects.toMatchObject({ code: 'ENOENT' });
});
