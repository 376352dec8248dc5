import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  parseBytes,
  parseCount,
  parsePasswordPointer,
  parseHost,
  parseHostOrCidr,
  parseSeconds,
} from '../src/option-values.ts';
import { UsageError } from '../src/errors.ts';

describe('parseBytes()', () => {
  test.each([
    ['1', 1],
    ['500000', 500_000],
    ['10M', 10 * 1024 * 1024],
    ['5MiB', 5 * 1024 * 1024],
    ['5 mb', 5_000_000],
    ['1.5GiB', 1.5 * 1024 ** 3],
    ['64k', 65_536],
  ])('reads %j as %d', (text, bytes) => {
    expect(parseBytes('--limit-rate', text)).toBe(bytes);
  });

  test.each([
    '',
    '0',
    '-1',
    '1e9',
    'M',
    '10 X',
    '0.1',
    '1.',
    '999999999999999G',
    '10constructor',
    'NaN',
  ])('refuses %j', (text) => {
    expect(() => parseBytes('--limit-rate', text)).toThrow(UsageError);
  });
});

describe('parseSeconds()', () => {
  test.each([
    ['30', 30_000],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['250ms', 250],
  ])('reads %j as %d ms', (text, milliseconds) => {
    expect(parseSeconds('--timeout', text)).toBe(milliseconds);
  });

  test.each(['0', '25h', '-3', 'soon', '99999999'])('refuses %j', (text) => {
    expect(() => parseSeconds('--timeout', text)).toThrow(UsageError);
  });
});

describe('parseCount()', () => {
  test('takes whole numbers within its bounds only', () => {
    expect(parseCount('--retry', '0', 0, 100)).toBe(0);
    for (const text of ['101', '-1', '1.5', '', '0x10', '١'])
      expect(() => parseCount('--retry', text, 0, 100)).toThrow('from 0 to 100');
  });
});

describe('parseHost()', () => {
  test.each([
    'localhost',
    'Registry.Example:5000',
    '127.0.0.1:80',
    '[::1]:5000',
    '[fe80::1]',
    'my_host',
  ])('takes %j', (text) => {
    expect(parseHost('--plain-http', text)).toBe(text.toLowerCase());
  });

  test.each([
    '',
    'https://registry.example',
    'registry.example/path',
    'a:0',
    'a:65536',
    'a:b',
    '[::1',
    '::1',
    'user@host',
    '-x',
    'a b',
  ])('refuses %j', (text) => {
    expect(() => parseHost('--plain-http', text)).toThrow(UsageError);
  });
});

describe('parseHostOrCidr()', () => {
  test.each(['10.0.0.0/8', 'fd00::/8', '0.0.0.0/0', 'registry.example'])('takes %j', (text) => {
    expect(parseHostOrCidr('--insecure-registry', text)).toBe(text);
  });

  test.each(['10.0.0.0/33', '10.0.0/8', 'fd00::/129', '/8', '10.0.0.0/'])('refuses %j', (text) => {
    expect(() => parseHostOrCidr('--insecure-registry', text)).toThrow(UsageError);
  });
});

describe('parsePasswordPointer()', () => {
  test('reads the place of a password', () => {
    expect(parsePasswordPointer('--src-creds', 'robot$ci:env:CI_TOKEN')).toEqual({
      username: 'robot$ci',
      from: { kind: 'env', name: 'CI_TOKEN' },
    });
    expect(parsePasswordPointer('--src-creds', 'me:file:/run/secrets/a:b')).toEqual({
      username: 'me',
      from: { kind: 'file', path: '/run/secrets/a:b' },
    });
  });

  test('quotes nothing of a refused value, because it may be a password', () => {
    for (const text of ['me:hunter2', 'hunter2', ':env:hunter2', 'me:env:hunter2!', 'me:file:']) {
      expect(() => parsePasswordPointer('--src-creds', text)).toThrow(UsageError);
      expect(() => parsePasswordPointer('--src-creds', text)).not.toThrow(/hunter2/);
    }
  });
});

describe('every parser', () => {
  test('throws UsageError and nothing else on any text', () => {
    const parsers = [parseBytes, parseSeconds, parseHost, parseHostOrCidr, parsePasswordPointer];
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const parse of parsers) {
          try {
            parse('--flag', text);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
          }
        }
      }),
    );
  });
});
