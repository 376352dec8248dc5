import { expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { openArchiveFile } from '../../../src/stores/archive/file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

test('C8: openArchiveFile() names TMPDIR, and how much it needs, where the temporary folder is full', async () => {
  const tempFolder = temporaryFolder();
  const opening = openArchiveFile('-', {
    tempFolder,
    input: bytesOf(new Uint8Array(10_240)),
    freeBytes: async () => 1000,
  });
  await expect(opening).rejects.toMatchObject({
    code: 'STORAGE_FAILED',
    message: expect.stringContaining(`into "${tempFolder}": no space is left`) as string,
    hint: expect.stringMatching(/^set TMPDIR to a folder with more than 128\.0 MiB free/) as string,
  });
});
