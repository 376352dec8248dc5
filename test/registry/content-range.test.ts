import { expect, test } from 'vitest';

import { parseContentRange } from '../../src/registry/blob-body.ts';

test.each([
  ['bytes 5-9/10', { start: 5, total: 10 }],
  [' Bytes 0-0/* ', { start: 0, total: undefined }],
  ['bytes 5-9', undefined],
  ['5-9/10', undefined],
  ['bytes 9-5/10', undefined],
  ['bytes 5-10/10', undefined],
  ['bytes */10', undefined],
  ['bytes 0-9999999999999999/*', undefined],
  [undefined, undefined],
])('parseContentRange() reads %j', (text, range) => {
  expect(parseContentRange(text)).toEqual(range);
});
