import { describe, expect, test } from 'vitest';

import { formatCount, formatRate, pluralize } from '../src/format.ts';

const MIB = 1024 * 1024;

describe('formatCount()', () => {
  test.each([
    [0, 'file', undefined, '0 files'],
    [1, 'file', undefined, '1 file'],
    [2, 'file', undefined, '2 files'],
    [1, 'entry', 'entries', '1 entry'],
    [2, 'entry', 'entries', '2 entries'],
  ])('D19: formatCount(%d, %j, %j) is %j', (count, noun, plural, text) => {
    expect(formatCount(count, noun, plural)).toBe(text);
  });
});

describe('pluralize()', () => {
  test('D19: pluralize() selects the verb that agrees with the number', () => {
    expect([0, 1, 2].map((count) => pluralize(count, 'differs', 'differ'))).toEqual([
      'differ',
      'differs',
      'differ',
    ]);
  });
});

describe('formatRate()', () => {
  test.each([
    [76, 29, ''],
    [50 * MIB, MIB - 1, ''],
    [50 * MIB, MIB, '50.0 MiB/s'],
    [0, 100 * MIB, '0 B/s'],
    [Number.POSITIVE_INFINITY, MIB, ''],
  ])('D19: formatRate(%d, %d) is %j: no speed below 1 MiB', (speed, bytes, text) => {
    expect(formatRate(speed, bytes)).toBe(text);
  });
});
