import { describe, expect, test } from 'vitest';

import { checkRealm } from '../../src/auth/realm.ts';

const UNSAFE = expect.objectContaining({ code: 'UNSAFE_REALM' }) as Error;

function check(realm: string, origin: string, remoteAddress?: string): string {
  return checkRealm(new URL(realm), {
    origin: new URL(origin),
    host: new URL(origin).host,
    remoteAddress,
  }).reach;
}

describe('checkRealm()', () => {
  test('lets a public registry name a service on another public host, with reach `public`', () => {
    expect(check('https://auth.docker.io/token', 'https://registry-1.docker.io', '3.94.1.2')).toBe(
      'public',
    );
  });

  test('lets a registry name itself, whatever its address', () => {
    expect(check('https://registry.example/token', 'https://registry.example', '3.94.1.2')).toBe(
      'any',
    );
  });

  test('lets a registry on a literal address name itself', () => {
    expect(check('https://10.0.0.1:5000/token', 'https://10.0.0.1:5000')).toBe('any');
  });

  test.each(['10.0.0.8', '127.0.0.1', 'fd00::8', '::ffff:192.168.0.1'])(
    'lets a registry at %s name internal services',
    (address) => {
      expect(check('https://10.0.0.9/token', 'https://registry.corp', address)).toBe('any');
    },
  );

  test('lets a registry on plain http name a plain http service', () => {
    expect(check('http://127.0.0.1:5001/token', 'http://127.0.0.1:5000', '127.0.0.1')).toBe('any');
  });

  test.each(['http://auth.evil/token', 'http://registry.example/token'])(
    'refuses %s for a registry on https',
    (realm) => {
      expect(() => check(realm, 'https://registry.example', '3.94.1.2')).toThrow(UNSAFE);
    },
  );

  test.each([
    'https://127.0.0.1/token',
    'https://127.1/token',
    'https://2130706433/token',
    'https://0x7f.0.0.1/token',
    'https://localhost/token',
    'https://localhost./token',
    'https://a.localhost/token',
    'https://169.254.169.254/latest/meta-data',
    'https://10.1.2.3/token',
    'https://192.168.0.1/token',
    'https://[::1]/token',
    'https://[fe80::1]/token',
    'https://[fd00::1]/token',
    'https://[::ffff:127.0.0.1]/token',
    'https://registry.example:8443@127.0.0.1/token',
  ])('refuses %s of a public registry', (realm) => {
    expect(() => check(realm, 'https://registry.example', '3.94.1.2')).toThrow(UNSAFE);
  });

  test('treats a registry behind a proxy as public', () => {
    expect(() => check('https://10.1.2.3/token', 'https://registry.example')).toThrow(UNSAFE);
  });

  test('refuses the private realm on another port of the same literal host of a public registry', () => {
    expect(() =>
      check('https://127.0.0.1:2375/token', 'https://127.0.0.1:5000', '3.94.1.2'),
    ).toThrow(UNSAFE);
  });

  test('throws UNSAFE_REALM without user and query of the realm', () => {
    const error = attempt(() =>
      check('http://user:pw@auth.evil/token?secret=1', 'https://registry.example', '3.94.1.2'),
    );
    expect(error).toMatchObject({
      code: 'UNSAFE_REALM',
      message: expect.stringContaining(
        '"http://auth.evil" that "registry.example" names',
      ) as string,
    });
    expect(String(error)).not.toMatch(/pw|secret/);
  });
});

function attempt(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
