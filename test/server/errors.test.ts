import { expect, test } from 'vitest';

import { errorAnswer } from '../../src/server/errors.ts';
import { StorageError } from '../../src/disk/errno.ts';

test.each([
  ['ENOSPC', 507],
  ['EDQUOT', 507],
  ['EIO', 500],
])('errorAnswer() tells %s as status %i, and no path', (errno, status) => {
  const { status: found, body } = errorAnswer(
    new StorageError('write', '/home/alice/data', errno, undefined),
  );
  expect(found).toBe(status);
  expect(Buffer.from(body as Uint8Array).toString()).not.toContain('alice');
});
