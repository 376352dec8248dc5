import { describe, expect, test } from 'vitest';

import { matchInTime } from '../../../src/operations/tags/select-tags.ts';

describe('matchInTime()', () => {
  test('matches like the expression', () => {
    const matches = matchInTime(/^a+$/, 60_000);
    expect(['aaa', 'aab', ''].map(matches)).toEqual([true, false, false]);
  });

  test('throws when the expression takes too long, and works afterwards', () => {
    const matches = matchInTime(/^(a+)+$/, 500);
    expect(() => matches(`${'a'.repeat(100)}!`)).toThrow(
      expect.objectContaining({ code: 'ERR_SCRIPT_EXECUTION_TIMEOUT' }),
    );
    expect(matches('a')).toBe(true);
  });
});
