import { describe, expect, test } from 'vitest';

import {
  createKeychainSource,
  noteInKeychainIndex,
  readKeychainIndex,
} from '../../../src/credentials/keychain/index-file.ts';
import { createKeychain } from '../../../src/credentials/keychain/keychain.ts';
import { instantClock } from '../../support/clock.ts';
import { fakeKeychain } from '../../support/cli/fake-keychain.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

function setUp() {
  const place = {
    env: { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' },
    home: temporaryFolder(),
  };
  const fake = fakeKeychain();
  const warnings: string[] = [];
  const keychain = createKeychain({
    run: fake.run,
    ...place,
    os: 'linux',
    isTerminal: false,
    clock: instantClock(),
    note: () => undefined,
  });
  const source = createKeychainSource({
    ...place,
    keychain,
    warn: (message) => warnings.push(message),
  });
  return { place, fake, keychain, source, warnings };
}

describe('createKeychainSource()', () => {
  test('accesses the keychain only for accounts in the index', async () => {
    const { source, fake } = setUp();
    expect(await source('a.example', undefined)).toBeUndefined();
    expect(fake.asked).toEqual([]);
  });

  test.each(['a.example:5000', 'docker.io'])('finds the login for %s', async (host) => {
    const { source, keychain, place } = setUp();
    const account = host === 'docker.io' ? 'https://index.docker.io/v1/' : host;
    await keychain.set(account, { username: 'ci', secret: 's3cret' });
    await noteInKeychainIndex(account, 'ci', place);
    expect(await source(host, undefined)).toEqual({
      credential: { kind: 'password', username: 'ci', password: 's3cret' },
      origin: 'the keychain',
    });
  });

  test('warns and finds nothing when the keychain cannot be read', async () => {
    const { source, fake, place, warnings } = setUp();
    await noteInKeychainIndex('a.example', 'ci', place);
    fake.fail({ kind: 'timed-out' });
    expect(await source('a.example', undefined)).toBeUndefined();
    expect(warnings).toEqual([
      expect.stringContaining('Cannot read the login for "a.example" from the keychain'),
    ]);
  });
});

describe('noteInKeychainIndex()', () => {
  test('adds, replaces and removes', async () => {
    const { place } = setUp();
    await noteInKeychainIndex('a.example', 'one', place);
    await noteInKeychainIndex('b.example', 'two', place);
    await noteInKeychainIndex('a.example', 'three', place);
    expect([...(await readKeychainIndex(place))]).toEqual([
      ['b.example', 'two'],
      ['a.example', 'three'],
    ]);
    await noteInKeychainIndex('a.example', undefined, place);
    expect([...(await readKeychainIndex(place)).keys()]).toEqual(['b.example']);
  });
});
