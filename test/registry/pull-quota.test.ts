import { describe, expect, test } from 'vitest';

import { createQuotaReader, quotaHint } from '../../src/registry/pull-quota.ts';

const headersOf = (remaining: number, source = '192.0.2.1') => {
  const headers = new Map([
    ['ratelimit-limit', '200;w=21600'],
    ['ratelimit-remaining', `${remaining};w=21600`],
    ['docker-ratelimit-source', source],
  ]);
  return { get: (name: string) => headers.get(name), entries: () => headers.entries() };
};

function reportsOf(remainings: readonly number[]): readonly string[] {
  const reports: string[] = [];
  const read = createQuotaReader('docker.io', (message) => void reports.push(message));
  for (const remaining of remainings) read(headersOf(remaining));
  return reports;
}

describe('createQuotaReader()', () => {
  test('reports a tenth, once', () => {
    expect(reportsOf([22, 21, 20, 19, 1])).toEqual([
      '"docker.io" allows 20 more pulls of 200 in 6 hours',
    ]);
  });

  test('reports nothing when no pull is left, because the refusal does', () => {
    expect(reportsOf([0])).toEqual([]);
  });

  test('reports nothing without a limit', () => {
    const reports: string[] = [];
    createQuotaReader(
      'docker.io',
      (message) => void reports.push(message),
    )({ get: () => undefined, entries: () => [][Symbol.iterator]() });
    expect(reports).toEqual([]);
  });
});

describe('quotaHint()', () => {
  test.each(['192.0.2.1', '2600:3c00::', undefined])(
    'says how to log in when %s is counted',
    (source) => {
      expect(quotaHint('docker.io', { source, windowSeconds: 21_600 })).toBe(
        'log in for a higher pull limit: regi login docker.io',
      );
    },
  );

  test('quotaHint() says when the limit resets where users are counted', () => {
    expect(
      quotaHint('docker.io', {
        source: 'f2cf3f3a-1b1b-4d34-9a5e-0123456789ab',
        windowSeconds: 21_600,
      }),
    ).toMatch(/^the limit resets after 6 hours/);
  });
});
