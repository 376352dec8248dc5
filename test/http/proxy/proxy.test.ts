import { describe, expect, test } from 'vitest';

import { InvalidConfigError } from '../../../src/errors.ts';
import { createProxyChooser } from '../../../src/http/proxy/proxy.ts';

const PROXY = 'http://proxy.test:3128';

function isProxied(noProxy: string, url: string): boolean {
  return (
    createProxyChooser({ HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, NO_PROXY: noProxy })(
      new URL(url),
    ) !== undefined
  );
}

describe('createProxyChooser()', () => {
  test.each([
    ['HTTPS_PROXY', 'https://registry.test', PROXY],
    ['https_proxy', 'https://registry.test', PROXY],
    ['HTTPS_PROXY', 'http://registry.test', undefined],
    ['HTTP_PROXY', 'http://registry.test:5000', PROXY],
    ['http_proxy', 'http://registry.test', PROXY],
    ['HTTP_PROXY', 'https://registry.test', undefined],
    ['ALL_PROXY', 'https://registry.test', PROXY],
    ['all_proxy', 'http://registry.test', PROXY],
    ['ALL_PROXY', 'http://localhost:5000', undefined],
  ])('with %s set, %s goes through %s', (variable, url, expected) => {
    expect(createProxyChooser({ [variable]: PROXY })(new URL(url))?.url.origin).toBe(expected);
  });

  test('upper case comes before lower case, and empty is unset', () => {
    expect(
      createProxyChooser({ HTTPS_PROXY: 'http://upper.test', https_proxy: PROXY })(
        new URL('https://a.test'),
      )?.url.host,
    ).toBe('upper.test');
    expect(
      createProxyChooser({ HTTPS_PROXY: '', https_proxy: PROXY })(new URL('https://a.test'))?.url
        .origin,
    ).toBe(PROXY);
  });

  test('B17: ALL_PROXY holds where the variable of the scheme is unset', () => {
    const choose = createProxyChooser({ ALL_PROXY: PROXY, HTTPS_PROXY: 'http://own.test' });
    expect(choose(new URL('https://a.test'))?.url.host).toBe('own.test');
    expect(choose(new URL('http://a.test'))?.url.origin).toBe(PROXY);
  });

  test('B17: ALL_PROXY heeds NO_PROXY', () => {
    const choose = createProxyChooser({ ALL_PROXY: 'socks5://proxy.test', NO_PROXY: '.test' });
    expect(choose(new URL('https://a.test'))).toBeUndefined();
    expect(choose(new URL('https://a.example'))).toBeDefined();
  });

  test.each([
    ['socks5://proxy.test', 'socks5://proxy.test:1080', undefined],
    ['socks5h://proxy.test:80', 'socks5h://proxy.test:80', undefined],
    ['SOCKS5://[fd12::1]', 'socks5://[fd12::1]:1080', undefined],
    [
      'socks5h://user:p%40ss%3Aword@proxy.test:1/',
      'socks5h://proxy.test:1',
      { user: 'user', password: 'p@ss:word' },
    ],
  ])('B17: the value %s is the SOCKS proxy %s', (value, url, login) => {
    const found = createProxyChooser({ HTTPS_PROXY: value })(new URL('https://a.test'));
    expect(found).toMatchObject({ kind: 'socks5', variable: 'HTTPS_PROXY' });
    expect(found?.url.href).toBe(url);
    expect(found).toHaveProperty('login', login);
  });

  test('HTTP_PROXY is ignored under CGI', () => {
    expect(
      createProxyChooser({ HTTP_PROXY: PROXY, REQUEST_METHOD: 'GET' })(new URL('http://a.test')),
    ).toBeUndefined();
    expect(
      createProxyChooser({ HTTPS_PROXY: PROXY, REQUEST_METHOD: 'GET' })(new URL('https://a.test')),
    ).toBeDefined();
  });

  test.each([
    ['proxy.test:3128', 'http://proxy.test:3128', undefined],
    ['https://proxy.test', 'https://proxy.test', undefined],
    ['http://user:p%40ss%3Aword@proxy.test:3128/', PROXY, 'user:p@ss:word'],
    ['user:secret@proxy.test:3128', PROXY, 'user:secret'],
  ])('the value %s is %s', (value, origin, login) => {
    const found = createProxyChooser({ HTTPS_PROXY: value })(new URL('https://a.test'));
    expect(found?.url.origin).toBe(origin);
    expect(found?.url.href).not.toContain('@');
    expect(found).toHaveProperty(
      'authorization',
      login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`,
    );
  });

  test.each([
    ['socks4://user:canary@proxy.test:1080', 'expected socks5://HOST:PORT'],
    ['socks://proxy.test', 'expected socks5://HOST:PORT'],
    ['socks5://', 'expected'],
    ['socks5://user:canary%@proxy.test', 'percent-encoded'],
    [`socks5://user:canary${'a'.repeat(250)}@proxy.test`, 'at most 255 bytes'],
    ['ftp://user:canary@proxy.test', 'expected'],
    ['http://', 'expected'],
    ['http://user:canary%@proxy.test', 'percent-encoded'],
    ['a canary b', 'expected'],
  ])('the value %s is refused, and never shown', (value, problem) => {
    const ask = (): unknown =>
      createProxyChooser({ HTTPS_PROXY: value })(new URL('https://a.test'));
    expect(ask).toThrow(InvalidConfigError);
    expect(ask).toThrow(problem);
    expect(ask).not.toThrow('canary');
  });
});

describe('NO_PROXY', () => {
  test.each([
    'http://localhost:5000',
    'https://localhost.',
    'http://127.0.0.1',
    'http://127.8.9.10:5000',
    'http://[::1]:5000',
    'http://[::ffff:127.0.0.1]:5000',
  ])('loopback %s never goes through a proxy', (url) => {
    expect(isProxied('', url)).toBe(false);
  });

  test.each([
    ['*', 'https://registry.test', false],
    ['a.test, *', 'https://registry.test', false],
    ['registry.test', 'https://registry.test', false],
    ['registry.test', 'https://sub.registry.test', false],
    ['registry.test', 'https://REGISTRY.test.', false],
    ['Registry.Test', 'https://registry.test', false],
    ['registry.test.', 'https://registry.test', false],
    ['registry.test', 'https://notregistry.test', true],
    ['.registry.test', 'https://sub.registry.test', false],
    ['.registry.test', 'https://registry.test', true],
    ['*.registry.test', 'https://a.b.registry.test', false],
    ['*.registry.test', 'https://registry.test', true],
    ['registry.test:5000', 'https://registry.test:5000', false],
    ['registry.test:5000', 'https://registry.test', true],
    ['registry.test:443', 'https://registry.test', false],
    ['registry.test:80', 'http://registry.test', false],
    ['registry.test:443', 'http://registry.test', true],
    ['10.0.0.1', 'http://10.0.0.1:5000', false],
    ['10.0.0.1:5000', 'http://10.0.0.1:5000', false],
    ['10.0.0.1:5000', 'http://10.0.0.1:5001', true],
    ['10.0.0.0/8', 'http://10.200.0.1:5000', false],
    ['10.0.0.0/8', 'http://11.0.0.1', true],
    ['10.0.0.0/8', 'http://ten.test', true],
    ['10.0.0.1', 'http://[::ffff:10.0.0.1]', false],
    ['fd00::/8', 'https://[fd12::1]:5000', false],
    ['fd12::1', 'https://[fd12:0::1]', false],
    ['[fd12::1]', 'https://[fd12::1]:5000', false],
    ['[fd12::1]:5000', 'https://[fd12::1]:5000', false],
    ['[fd12::1]:5000', 'https://[fd12::1]:5001', true],
    ['0.0.0.1', 'http://10.0.0.1', true],
    ['10.0.0.0/99', 'http://10.0.0.0', true],
    [',, :5000, .', 'https://registry.test', true],
    ['registry', 'https://registry.test', true],
    ['test', 'https://registry.test', false],
  ])('with NO_PROXY=%s, %s goes through the proxy: %s', (list, url, expected) => {
    expect(isProxied(list, url)).toBe(expected);
  });
});
