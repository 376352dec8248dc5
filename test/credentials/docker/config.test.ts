import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { credentialOf, decodeAuthEntry } from '../../../src/credentials/docker/config.ts';

describe('decodeAuthEntry()', () => {
  test('decodes entries written by docker', () => {
    const username = fc
      .string({ minLength: 1, unit: 'grapheme' })
      .filter((text) => !text.includes(':'));
    const password = fc.string({ unit: 'grapheme' }).filter((text) => !text.endsWith('\0'));
    fc.assert(
      fc.property(username, password, (user, secret) => {
        const entry = decodeAuthEntry({
          auth: Buffer.from(`${user}:${secret}`, 'utf8').toString('base64'),
        });
        expect(entry).toEqual({ username: user, password: secret });
      }),
    );
  });

  test('never throws, and quotes nothing of the entry', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~]{12,40}$/), (auth) => {
        const entry = decodeAuthEntry({ auth });
        expect('problem' in entry && entry.problem.includes(auth)).toBe(false);
      }),
    );
  });

  test.each([null, 'text', 5, [], { auth: 5 }, { identitytoken: {} }])('skips %j', (value) => {
    const entry = decodeAuthEntry(value);
    expect('problem' in entry || credentialOf(entry) === undefined).toBe(true);
  });
});

describe('credentialOf()', () => {
  test('returns undefined for the entry that marks a helper', () => {
    expect(credentialOf({})).toBeUndefined();
  });

  test('prefers tokens, as docker does', () => {
    const all = { username: 'u', password: 'p', identityToken: 'i', registryToken: 'r' };
    expect(credentialOf(all)).toEqual({ kind: 'registry-token', token: 'r' });
    expect(credentialOf({ ...all, registryToken: undefined })).toEqual({
      kind: 'identity-token',
      token: 'i',
      username: 'u',
    });
  });
});
