import { describe, expect, test } from 'vitest';

import { quote } from '../src/quote.ts';

describe('quote()', () => {
  test.each([
    ['ubuntu', '"ubuntu"'],
    ['repo@sha256:ab', '"repo@sha256:ab"'],
    ['repo:1@sha256:ab', '"repo:1@sha256:ab"'],
    ['repo@latest', '"repo@latest"'],
    ['user:pw@host/app', '"***@host/app"'],
    ['token@host/app', '"***@host/app"'],
    ['https://token@host', '"***@host"'],
    ['https://host/x?sig=1', '"https://host/x?…"'],
    ['a"b', '"a\\"b"'],
  ])('shows %s as %s', (text, shown) => {
    expect(quote(text)).toBe(shown);
  });

  test.each(['docker-archive:F:@1', 'oci:dir:@0', 'archive:a@b.tar:app'])(
    'D19: quote() shows the location %s in full',
    (text) => {
      expect(quote(text)).toBe(JSON.stringify(text));
    },
  );

  test('shows no control characters and no marks that turn text around', () => {
    expect(quote('a\u001B[31m\u202Eb\u009B')).toMatch(/^[ -~]+$/);
  });

  test('shortens', () => {
    expect(quote('a'.repeat(1000))).toBe(`"${'a'.repeat(160)}…"`);
  });
});
