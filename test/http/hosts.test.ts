import { describe, expect, test } from 'vitest';

import { HostPolicy, InvalidHostRuleError } from '../../src/http/hosts.ts';

const LOOSE = { schemes: ['https', 'http'], verify: false };
const STRICT = { schemes: ['https'], verify: true };
const LOOPBACK = { schemes: ['http', 'https'], verify: true };

describe('HostPolicy.for()', () => {
  test.each([
    'registry.test',
    'registry.test:5000',
    '10.0.0.1:5000',
    '192.168.1.1',
    'localhost.evil.test',
    'notlocalhost',
    '[fd00::1]:5000',
    '128.0.0.1',
  ])('for() requires verified https for %s', (host) => {
    expect(new HostPolicy().for(host)).toEqual(STRICT);
  });

  test.each([
    'localhost',
    'localhost:5000',
    'LOCALHOST:5000',
    '127.0.0.1',
    '127.1.2.3:80',
    '[::1]:5000',
    '[0:0:0:0:0:0:0:1]:5000',
  ])('for() tries plain http first at %s', (host) => {
    expect(new HostPolicy().for(host)).toEqual(LOOPBACK);
  });

  test('for() tries verified https first on loopback if an authority was given', () => {
    const policy = new HostPolicy({ ca: 'PEM' });
    expect(policy.for('localhost:5000')).toEqual({ schemes: ['https', 'http'], verify: true });
    expect(policy.for('registry.test')).toEqual(STRICT);
  });

  test.each([
    ['registry.test', 'registry.test', LOOSE],
    ['registry.test', 'registry.test:5000', LOOSE],
    ['Registry.Test', 'registry.test', LOOSE],
    ['registry.test:5000', 'registry.test:5000', LOOSE],
    ['registry.test:5000', 'registry.test', STRICT],
    ['registry.test:5000', 'registry.test:5001', STRICT],
    ['registry.test:443', 'registry.test', LOOSE],
    ['registry.test', 'sub.registry.test', STRICT],
    ['10.0.0.0/8', '10.1.2.3:5000', LOOSE],
    ['10.0.0.0/8', '11.1.2.3:5000', STRICT],
    ['10.0.0.0/8', 'ten.test', STRICT],
    ['fd00::/8', '[fd12::1]:5000', LOOSE],
    ['[fd12::1]:5000', '[fd12:0::1]:5000', STRICT],
    ['localhost', 'localhost:5000', LOOSE],
    ['0.0.0.0/0', '127.0.0.1:5000', LOOSE],
  ])('for() with --insecure-registry %s returns for %s %o', (rule, host, expected) => {
    expect(new HostPolicy({ insecureRegistries: [rule] }).for(host)).toEqual(expected);
  });

  test('for() allows only http for a host named in plainHttp', () => {
    expect(new HostPolicy({ plainHttp: ['registry.test:5000'] }).for('registry.test:5000')).toEqual(
      { schemes: ['http'], verify: true },
    );
  });

  test('for() skips only verification for a host named in tlsSkipVerify, also on loopback', () => {
    const policy = new HostPolicy({ tlsSkipVerify: ['registry.test', 'localhost:5000'] });
    expect(policy.for('registry.test:5000')).toEqual({ schemes: ['https'], verify: false });
    expect(policy.for('localhost:5000')).toEqual({ schemes: ['https'], verify: false });
  });

  test.each([
    '',
    'https://registry.test',
    'registry.test/path',
    'registry.test:',
    'registry.test:0',
    'registry.test:65536',
    'user@registry.test',
    'h:1:2',
    '::1',
    '10.0.0.0/33',
    'a b',
    'registry/8',
  ])('HostPolicy refuses the rule "%s"', (rule) => {
    expect(() => new HostPolicy({ insecureRegistries: [rule] })).toThrow(InvalidHostRuleError);
  });

  test('HostPolicy accepts networks for insecure registries only', () => {
    expect(() => new HostPolicy({ plainHttp: ['10.0.0.0/8'] })).toThrow(InvalidHostRuleError);
  });
});

describe('HostPolicy.tls()', () => {
  test('tls() verifies with the named authorities', () => {
    expect(new HostPolicy({ ca: 'PEM' }).tls(new URL('https://registry.test'))).toEqual({
      ca: 'PEM',
      rejectUnauthorized: true,
    });
  });

  test.each(['https://registry.test:5000', 'https://[fd00::1]:5000'])(
    'tls() verifies nothing at %s when it was named insecure',
    (origin) => {
      const policy = new HostPolicy({ insecureRegistries: ['registry.test:5000', 'fd00::/8'] });
      expect(policy.tls(new URL(origin)).rejectUnauthorized).toBe(false);
      expect(policy.tls(new URL('https://auth.test')).rejectUnauthorized).toBe(true);
    },
  );
});
