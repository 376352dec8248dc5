import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createKeychain } from '../../../src/credentials/keychain/keychain.ts';
import {
  handleKeychainRequest,
  readSecret,
  removeSecret,
  writeSecret,
  type OpenEntry,
} from '../../../src/credentials/keychain/child.ts';
import type { RunKeychain } from '../../../src/credentials/keychain/program.ts';
import { instantClock } from '../../support/clock.ts';

/** A keychain whose entries hold at most `limit` characters, as that of Windows. */
function smallKeychain(limit = 10) {
  const entries = new Map<string, string>();
  const writes: string[] = [];
  const open: OpenEntry = async (account) => ({
    getPassword: async () => entries.get(account),
    async setPassword(secret) {
      if (secret.length > limit)
        throw new Error('Attribute is longer than platform limit of 2560 chars');
      writes.push(account);
      entries.set(account, secret);
    },
    deletePassword: async () => entries.delete(account),
  });
  return { entries, writes, open };
}

describe('writeSecret()', () => {
  test('stores a short secret in one entry', async () => {
    const { entries, open } = smallKeychain(100);
    await writeSecret('a', 'short', 100, open);
    expect([...entries]).toEqual([['a', 'short']]);
  });

  test('round-trips any secret, and leaves nothing after removal', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 2000 }), async (secret) => {
        const { entries, open } = smallKeychain(100);
        await writeSecret('a', secret, 100, open);
        expect(await readSecret('a', open)).toBe(secret);
        await removeSecret('a', open);
        expect(entries.size).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  test('removes the parts of the old secret', async () => {
    const { entries, open } = smallKeychain(100);
    await writeSecret('a', 'x'.repeat(950), 100, open);
    await writeSecret('a', 'y'.repeat(250), 100, open);
    expect(entries.size).toBe(4);
    await writeSecret('a', 'z', 100, open);
    expect([...entries]).toEqual([['a', 'z']]);
  });

  test('keeps the old secret readable until the new one is complete', async () => {
    const { open } = smallKeychain(100);
    await writeSecret('a', 'x'.repeat(250), 100, open);
    let written = 0;
    const failing: OpenEntry = async (account) => {
      const entry = await open(account);
      return {
        ...entry,
        setPassword: async (secret) =>
          (written += 1) === 3 ? Promise.reject(new Error('full')) : entry.setPassword(secret),
      };
    };
    await expect(writeSecret('a', 'y'.repeat(250), 100, failing)).rejects.toThrow('full');
    expect(await readSecret('a', open)).toBe('x'.repeat(250));
  });

  test('writes nothing when the secret is too long even for parts', async () => {
    const { entries, open } = smallKeychain(100);
    await expect(writeSecret('a', 'x'.repeat(2401), 100, open)).rejects.toThrow(
      'the secret has 2401 characters',
    );
    expect(entries.size).toBe(0);
  });
});

describe('readSecret()', () => {
  test('returns undefined when a part is missing', async () => {
    const { entries, open } = smallKeychain(100);
    await writeSecret('a', 'x'.repeat(250), 100, open);
    entries.delete([...entries.keys()].find((name) => name.endsWith('part 2')) ?? '');
    expect(await readSecret('a', open)).toBeUndefined();
  });

  test('does not mistake a login for the head of parts', async () => {
    const { entries, open } = smallKeychain(1000);
    const login = '{"Username":"parts","Secret":"{\\"parts\\":2,\\"id\\":\\"x\\"}"}';
    entries.set('a', login);
    expect(await readSecret('a', open)).toBe(login);
  });
});

describe('createKeychain() on Windows', () => {
  function keychainOn(os: string) {
    const small = smallKeychain(1280);
    const run: RunKeychain = async (request) =>
      JSON.parse(await handleKeychainRequest(JSON.stringify(request), small.open)) as Awaited<
        ReturnType<RunKeychain>
      >;
    return {
      ...small,
      keychain: createKeychain({
        run,
        env: {},
        os,
        isTerminal: false,
        clock: instantClock(),
        note: () => undefined,
      }),
    };
  }

  test.each([
    ['2,500 characters', 'x'.repeat(2_500)],
    ['20,000 characters', 'x'.repeat(20_000)],
    ['characters of several units', 'ü€😀x'.repeat(500)],
  ])('stores a token of %s that is too long for one entry', async (_name, secret) => {
    const { keychain, entries } = keychainOn('windows');
    const login = { username: '<token>', secret };
    await keychain.set('a.example', login);
    expect(await keychain.get('a.example')).toEqual(login);
    await keychain.delete('a.example');
    expect(entries.size).toBe(0);
  });

  test('reports a password that is too long', async () => {
    const { keychain } = keychainOn('windows');
    await expect(
      keychain.set('a.example', { username: 'ci', secret: 'x'.repeat(50_000) }),
    ).rejects.toMatchObject({
      reason: 'the password is too long for it',
    });
  });

  test('does not split secrets on other systems', async () => {
    const { keychain, writes } = keychainOn('darwin');
    await keychain.set('a.example', { username: 'ci', secret: 'x'.repeat(1000) });
    expect(writes).toEqual(['a.example']);
  });
});
