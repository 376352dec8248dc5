import { expect, test } from 'vitest';

import type { Context } from '../../src/context.ts';
import { diffText } from '../../src/render/diff.ts';
import { fakeIo } from '../support/cli/io.ts';

test.each([
  [1, '1 file differs: 1 added, 0 removed, 0 changed; +29 B, -0 B\n'],
  [2, '2 files differ: 2 added, 0 removed, 0 changed; +29 B, -0 B\n'],
])('D19: diffText() of %d changed files is %j', (added, text) => {
  const summary = { kind: 'summary', removed: 0, changed: 0, removedBytes: 0 } as const;
  const context = { io: fakeIo() } as unknown as Context;
  expect(diffText({ ...summary, added, addedBytes: 29 }, context)).toBe(text);
});
