import { expect, test } from 'vitest';

import { errorResponse } from '../../src/server/errors.ts';
import { StorageError } from '../../src/disk/errno.ts';

test.each([
  ['ENOSPC', 507],
  ['EDQUOT', 507],
  ['EIO', 500],
])('errorResponse() maps %s to status %i and shows no path', (errno, status) => {
  const { status: found, body } = errorResponse(
    new StorageError('write', '/home/alice/data', errno, undefined),
  );
  expect(found).toBe(status);
  expect(Buffer.from(body as Uint8Array).toString()).not.toContain('alice');
});
