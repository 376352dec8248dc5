import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { refuseFileName } from '../../src/targets/path.ts';
import { main } from '../../src/main.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { fakeIo } from '../support/cli/io.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let cwd: string;

beforeAll(() => {
  cwd = temporaryFolder('file-not-image');
  for (const name of ['images.tar', 'app']) writeFileSync(join(cwd, name), 'x');
});

test.each([
  ['verify', 'images.tar'],
  ['inspect', 'images.tar'],
  ['copy', 'images.tar', 'registry.example/app'],
  ['push', 'images.tar', 'registry.example/mirror/'],
  ['export', 'images.tar', '-o', 'more.tar'],
])('regi %s says how to write the name of a file', async (...argv) => {
  const io = fakeIo({ cwd });
  expect(await main(argv, io)).toBe(2);
  expect(io.stderrText()).toContain('write "archive:images.tar" for the file');
});

test.each(['images.tar:1', 'registry.example/images.tar', 'more.tar', 'app'])(
  'refuseFileName() lets %s be an image',
  async (text) => {
    await expect(refuseFileName(parseReference(text), { cwd })).resolves.toBeUndefined();
  },
);
