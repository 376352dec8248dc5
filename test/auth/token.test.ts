import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseToken } from '../../src/auth/token.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');

function parse(answer: unknown): ReturnType<typeof parseToken> {
  return parseToken(
    new TextEncoder().encode(typeof answer === 'string' ? answer : JSON.stringify(answer)),
    NOW,
  );
}

function lifeOf(answer: object): number | undefined {
  const token = parse({ token: 't', ...answer });
  return token && (token.expiresAt - NOW) / 1000;
}

describe('parseToken()', () => {
  test.each([
    [{ token: 'a' }, 'a'],
    [{ access_token: 'b' }, 'b'],
    [{ token: 'a', access_token: 'b' }, 'a'],
    [{ token: '', access_token: 'b' }, 'b'],
    [{ token: null, access_token: 'b', expires_in: null, issued_at: null }, 'b'],
  ])('finds the token in %j', (answer, value) => {
    expect(parse(answer)?.value).toBe(value);
  });

  test.each([
    '',
    'null',
    '[]',
    '{}',
    '<html>',
    '{"token":1}',
    '{"token":"a b"}',
    '{"token":"a\\r\\nHost: evil"}',
    '{"token":"ä"}',
    '{"token":"a","expires_in":{}}',
  ])('finds no token in %j', (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test.each([
    [{}, 60],
    [{ expires_in: 300 }, 300],
    [{ expires_in: '300' }, 300],
    [{ expires_in: 3 }, 3],
    [{ expires_in: 0 }, 60],
    [{ expires_in: -5 }, 60],
    [{ expires_in: 'soon' }, 60],
    [{ expires_in: 1e300 }, 86_400],
  ])('reads the lifetime of %j as %d s', (answer, seconds) => {
    expect(lifeOf(answer)).toBe(seconds);
  });

  test.each([
    ['a little before now', '2026-01-02T03:03:55Z', 290],
    ['with an offset', '2026-01-02T05:03:55+02:00', 290],
    ['in the future: clocks differ', '2026-01-02T03:10:00Z', 300],
    ['too long ago to be of the same clock', '2026-01-01T00:00:00Z', 300],
    ['no date', 'yesterday', 300],
  ])('uses issued_at %s', (_case, issued_at, seconds) => {
    expect(lifeOf({ expires_in: 300, issued_at })).toBe(seconds);
  });

  test('never throws, and never returns an expired token', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (body) => {
          expect(parseToken(body, NOW)?.expiresAt ?? Infinity).toBeGreaterThan(NOW);
        },
      ),
    );
  });
});
