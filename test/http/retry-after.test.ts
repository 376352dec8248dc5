import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { headersOf } from '../../src/http/message.ts';
import { failureOfStatus } from '../../src/http/retry.ts';
import { rateLimit, retryAfterMs } from '../../src/http/retry-after.ts';
import json from '../tables/retry-ratelimit.json' with { type: 'json' };

interface Row {
  readonly id: string;
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly expect: {
    readonly delaySeconds?: number | null;
    readonly failFast?: boolean;
    readonly retry?: boolean;
    readonly rateLimit?: {
      limit: number;
      remaining: number;
      windowSeconds: number | null;
      source: string | null;
    } | null;
  };
}

const table = json as unknown as { readonly now: string; readonly cases: readonly Row[] };
const now = Date.parse(table.now);

describe('retryAfterMs()', () => {
  test.each(table.cases.filter((row) => row.expect.delaySeconds !== undefined))(
    'retryAfterMs() reads $id',
    ({ headers, expect: { delaySeconds } }) => {
      const expected = typeof delaySeconds === 'number' ? delaySeconds * 1000 : undefined;
      expect(retryAfterMs(headersOf(headers), now)).toBe(expected);
    },
  );

  test.each([
    ['Saturday, 20-Sep-80 12:00:00 GMT', 'two digits that would be more than 50 years ahead'],
    ['Sun, 20 Foo 2026 12:01:30 GMT', 'an unknown month'],
  ])('retryAfterMs() asks for no wait until %s: %s', (date) => {
    expect(retryAfterMs(headersOf({ 'retry-after': date }), now) ?? 0).toBe(0);
  });

  test('retryAfterMs() is never negative and never throws', () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer().map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    );
    fc.assert(
      fc.property(value, value, (first, second) => {
        const wait = retryAfterMs(
          headersOf({ 'retry-after': first, 'x-retry-after': second }),
          now,
        );
        expect(wait === undefined || (Number.isSafeInteger(wait) && wait >= 0)).toBe(true);
      }),
    );
  });
});

describe('rateLimit()', () => {
  test.each(table.cases.filter((row) => row.expect.rateLimit !== undefined))(
    'rateLimit() reads $id',
    ({ headers, expect: { rateLimit: expected } }) => {
      const found = rateLimit(headersOf(headers));
      expect(
        found && {
          ...found,
          windowSeconds: found.windowSeconds ?? null,
          source: found.source ?? null,
        },
      ).toEqual(expected ?? undefined);
    },
  );
});

describe('failureOfStatus()', () => {
  const decide = ({ status, headers }: Row) =>
    failureOfStatus({ status, headers: headersOf(headers) }, now);

  test.each(table.cases.filter((row) => row.expect.failFast === true))(
    'failureOfStatus() refuses to wait for $id',
    (row) => {
      expect(decide(row)).toBeUndefined();
    },
  );

  test.each(table.cases.filter((row) => row.expect.retry !== undefined))(
    'failureOfStatus() decides if $id is worth a retry',
    (row) => {
      expect(decide(row) !== undefined).toBe(row.expect.retry);
    },
  );

  test('failureOfStatus() returns the wait that the server asks for', () => {
    expect(
      failureOfStatus({ status: 503, headers: headersOf({ 'retry-after': '7' }) }, now),
    ).toEqual({ askedMs: 7000, isRateLimit: false });
  });
});
