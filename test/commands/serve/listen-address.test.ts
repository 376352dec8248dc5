import { describe, expect, test } from 'vitest';

import {
  formatListenAddress,
  isLoopback,
  parseListenAddress,
} from '../../../src/commands/serve/listen-address.ts';

describe('parseListenAddress()', () => {
  test.each([
    ['127.0.0.1:5000', '127.0.0.1', 5000],
    ['localhost:0', 'localhost', 0],
    ['[::1]:443', '::1', 443],
    ['Registry.Example:65535', 'registry.example', 65_535],
    [':5000', '0.0.0.0', 5000],
    ['5001', '127.0.0.1', 5001],
  ])('reads %j', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port });
  });

  test.each([
    '',
    'localhost',
    '127.0.0.1',
    '::1:5000',
    '[::1]',
    '[nonsense]:1',
    'a b:1',
    'host:65536',
    'http://localhost:5000',
    '127.0.0.1:5000/',
  ])('refuses %j', (text) => {
    expect(() => parseListenAddress(text)).toThrow(
      expect.objectContaining({ code: 'USAGE' }) as Error,
    );
  });
});

describe('isLoopback()', () => {
  test.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])('is true for %s', (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', '127.evil.example', 'localhost.example'])(
    'is false for %s',
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});

test('formatListenAddress() puts an IPv6 address into brackets', () => {
  expect(formatListenAddress({ host: '::1', port: 80 })).toBe('[::1]:80');
});
