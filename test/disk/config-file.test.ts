import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { readConfigFile } from '../../src/disk/config-file.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function makePipe(): string {
  const path = join(temporaryFolder(), 'config.json');
  execFileSync('mkfifo', [path]);
  return path;
}

test('C6: readConfigFile() fails when no program writes to a pipe', async () => {
  await expect(readConfigFile(makePipe(), '~/config.json', 20)).rejects.toMatchObject({
    code: 'INVALID_CONFIG',
    message: 'Cannot read "~/config.json": it is a pipe, and no program writes to it',
  });
});

test('C6: readConfigFile() reads a pipe whose writer comes later', async () => {
  const path = makePipe();
  const read = readConfigFile(path, path, 60_000);
  await writeFile(path, '{"auths":{}}');
  expect(await read).toBe('{"auths":{}}');
});
