import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { parseRepository } from '../../src/oci/reference.ts';
import { parsePolicy, type TrustPolicy } from '../../src/trust/policy.ts';

const KEYS = join(import.meta.dirname, '../tables/trust/keys');

async function parse(scopes: string): Promise<TrustPolicy> {
  return parsePolicy(`version: 1\nscopes:\n${scopes}\n`, {
    name: 'policy.yaml',
    readKey: async (path) => {
      const text = readFileSync(join(KEYS, path.replace(/twice|compressed/, 'p256')), 'utf8');
      if (path.startsWith('compressed')) return compressed(text);
      return path.startsWith('twice') ? text.replaceAll('\n', '\r\n') : text;
    },
  });
}

/** The same P-256 key, with its point as one coordinate and a sign (SEC 1, 2.3.3). */
function compressed(pem: string): string {
  const der = createPublicKey(pem).export({ format: 'der', type: 'spki' });
  const [x, y] = [der.subarray(-64, -32), der.subarray(-32)];
  const sign = (y.at(-1) ?? 0) % 2 === 0 ? 2 : 3;
  const algorithm = der.subarray(2, 23);
  const body = Buffer.concat([algorithm, Buffer.from([3, 34, 0, sign]), x]);
  const base64 = Buffer.concat([Buffer.from([0x30, body.byteLength]), body]).toString('base64');
  return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
}

describe('parsePolicy()', () => {
  test('lets the longest scope decide, by whole path components', async () => {
    const policy = await parse(
      [
        '  r.test: { key: p256.pub }',
        '  r.test/team: { key: rsa.pub }',
        '  r.test/team/app: { insecureAccept: true }',
        '  "*.example.com": { key: p384.pub }',
      ].join('\n'),
    );
    const scopeOf = (name: string): string | undefined =>
      policy.ruleFor(parseRepository(name))?.scope;
    expect(scopeOf('r.test/team/app')).toBe('r.test/team/app');
    expect(scopeOf('r.test/team/other')).toBe('r.test/team');
    expect(scopeOf('r.test/teamevil/app')).toBe('r.test');
    expect(scopeOf('a.b.example.com/x')).toBe('*.example.com');
    expect(scopeOf('example.com/x')).toBeUndefined();
    expect(scopeOf('other.test/x')).toBeUndefined();
  });

  test('reads spellings of one host as one', async () => {
    const policy = await parse(
      '  docker.io/library: { key: p256.pub }\n  R.test: { key: p256.pub }',
    );
    for (const name of ['debian', 'index.docker.io/library/debian', 'docker.io/debian']) {
      expect(policy.ruleFor(parseRepository(name))?.scope).toBe('docker.io/library');
    }
    for (const name of ['r.test:443/a', 'R.TEST/a']) {
      expect(policy.ruleFor(parseRepository(name))?.scope).toBe('r.test');
    }
    expect(policy.ruleFor(parseRepository('r.test:5000/a'))).toBeUndefined();
  });

  test("covers official images of Docker Hub by their short names before the hub's own rule", async () => {
    const policy = await parse(
      '  docker.io: { insecureAccept: true }\n  docker.io/debian: { key: p256.pub }',
    );
    const scopeOf = (name: string): string | undefined =>
      policy.ruleFor(parseRepository(name))?.scope;
    expect(scopeOf('debian')).toBe('docker.io/debian');
    expect(scopeOf('docker.io/library/debian')).toBe('docker.io/debian');
    expect(scopeOf('debian/app')).toBe('docker.io/debian');
    expect(scopeOf('library/debian/app')).toBe('docker.io/debian');
    expect(scopeOf('other/debian')).toBe('docker.io');
    expect(scopeOf('r.test/library/debian')).toBeUndefined();
  });

  test.each([
    ['  "*.r.test:5000": { key: p256.pub }', '3:20: expected a scope'],
    ['  r.test: { key: ed25519.pub }', '3:11: Cannot use the key "ed25519.pub"'],
    ['  r.test: { key: p256.pub, unknown: 1 }', '3:28: unknown key "unknown"'],
    ['  r.test: { key: p256.pub }\n  r.test: { key: p256.pub }', '4:3: expected each key once'],
    [
      '  r.test: { key: p256.pub }\n  "R.test:443": { key: p256.pub }',
      '4:17: expected each scope once',
    ],
    ['  r.test: { keys: [p256.pub, twice.pub] }', '3:30: expected each key once'],
    ['  r.test: { keys: [p256.pub, compressed.pub] }', '3:30: expected each key once'],
    ['  r.test: { keys: [p256.pub], threshold: 2 }', '3:42: expected at most 1'],
    ['  r.test: {}', '3:11: expected one of key, keys, keyless and insecureAccept, found 0'],
    ['  r.test: { key: p256.pub, insecureAccept: true }', '3:11: expected one of key'],
    ['  r.test: { insecureAccept: false }', '3:29: expected true'],
    ['  r.test/app:v1: { key: p256.pub }', '3:18: expected a scope'],
    ['  "*": { key: p256.pub }', '3:8: expected a scope'],
    ['  team: { key: p256.pub }', '3:9: expected a scope'],
    ['  r.test: { keyless: { issuer: "", identity: a } }', '3:32: expected who signs, found ""'],
    ['  r.test: { keyless: { issuer: a, identity: "*" } }', '3:45: expected who signs, found "*"'],
    ['  r.test: { keyless: { issuer: a } }', '3:22: expected the key "identity"'],
  ])('refuses %s', async (scopes, message) => {
    await expect(parse(scopes)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining(`policy.yaml:${message}`) as string,
    });
  });
});
