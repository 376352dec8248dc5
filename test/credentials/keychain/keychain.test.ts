import { describe, expect, test } from 'vitest';

import {
  createKeychain,
  KeychainError,
  type KeychainOptions,
} from '../../../src/credentials/keychain/keychain.ts';
import type { Clock } from '../../../src/clock.ts';
import type { KeychainResult } from '../../../src/credentials/keychain/program.ts';
import { deferred } from '../../support/deferred.ts';
import { instantClock } from '../../support/clock.ts';
import { fakeKeychain } from '../../support/cli/fake-keychain.ts';

const BUS = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' };
const LOGIN = { username: 'ci', secret: 's3cret' };

function keychainOf(options: Partial<KeychainOptions> = {}) {
  const fake = fakeKeychain();
  const notes: string[] = [];
  const keychain = createKeychain({
    run: fake.run,
    env: BUS,
    os: 'linux',
    isTerminal: false,
    clock: instantClock(),
    note: (text) => notes.push(text),
    ...options,
  });
  return { keychain, fake, notes };
}

async function failureOf(promise: Promise<unknown>): Promise<KeychainError> {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(KeychainError);
  return error as KeychainError;
}

describe('createKeychain()', () => {
  test('returns a stored login', async () => {
    const { keychain } = keychainOf();
    await keychain.set('a.example', LOGIN);
    expect(await keychain.get('a.example')).toEqual(LOGIN);
    await keychain.delete('a.example');
    expect(await keychain.get('a.example')).toBeUndefined();
  });

  test('starts no child without a D-Bus session', async () => {
    const { keychain, fake } = keychainOf({ env: { XDG_RUNTIME_DIR: '/nowhere' } });
    expect((await failureOf(keychain.get('a.example'))).reason).toBe('there is no D-Bus session');
    expect(fake.asked).toEqual([]);
  });

  test.each(['darwin', 'windows'])('needs no D-Bus on %s', async (os) => {
    const { keychain } = keychainOf({ env: {}, os });
    expect(await keychain.get('a.example')).toBeUndefined();
  });

  test('waits a minute at a terminal, and less than five seconds elsewhere', async () => {
    const timeouts: number[] = [];
    for (const isTerminal of [true, false]) {
      const { keychain } = keychainOf({
        isTerminal,
        run: async (_request, { timeoutMs }) => {
          timeouts.push(timeoutMs);
          return { kind: 'done', secret: undefined };
        },
      });
      await keychain.get('a.example');
    }
    expect(timeouts[0]).toBe(60_000);
    expect(timeouts[1]).toBeLessThan(5_000);
  });

  test('notes at a terminal what it is waiting for after a while', async () => {
    const patience = deferred();
    const said = deferred<string>();
    const answer = deferred<KeychainResult>();
    const clock = { ...instantClock(), sleep: () => patience.promise };
    const { keychain } = keychainOf({
      isTerminal: true,
      clock,
      note: said.resolve,
      run: () => answer.promise,
    });
    const asking = keychain.get('a.example');
    patience.resolve();
    expect(await said.promise).toContain('Waiting for the keyring');
    answer.resolve({ kind: 'done', secret: undefined });
    expect(await asking).toBeUndefined();
  });

  test('notes nothing at a terminal when the keychain responds at once', async () => {
    const clock: Clock = {
      ...instantClock(),
      sleep: (_ms, signal) =>
        new Promise((_resolve, reject) =>
          signal?.addEventListener('abort', () => reject(signal.reason)),
        ),
    };
    const { keychain, notes } = keychainOf({ isTerminal: true, clock });
    await keychain.get('a.example');
    expect(notes).toEqual([]);
  });

  test('does not run again after it failed', async () => {
    const { keychain, fake } = keychainOf();
    fake.fail({ kind: 'timed-out' });
    expect((await failureOf(keychain.get('a.example'))).code).toBe('TIMEOUT');
    await failureOf(keychain.get('b.example'));
    expect(fake.asked).toEqual(['get a.example']);
  });

  test.each([
    [
      "Couldn't access platform storage: Secret Service: unlock prompt was dismissed",
      'it is locked, and was not unlocked',
    ],
    [
      "Couldn't access platform storage: Secret Service: no result found",
      'it has no default keyring yet',
    ],
    [
      'DBus error: The name org.freedesktop.secrets was not provided by any .service files',
      'no Secret Service runs in this session',
    ],
    [
      'DBus error: Process org.freedesktop.secrets exited with status 1',
      'no Secret Service runs in this session',
    ],
    ["Cannot find module '@napi-rs/keyring'\nRequire stack: …", 'its addon is not installed'],
    ['Cannot find native binding. npm has a bug', 'its addon is not installed'],
    [
      '/tmp/regi-keychain-x/keyring.node: failed to map segment from shared object',
      'its addon cannot be loaded from the folder for temporary files',
    ],
    ['a \u001b[2J surprise', 'it says "a \\x1b[2J surprise"'],
  ])('translates the error: %s', async (reason, words) => {
    const { keychain, fake } = keychainOf();
    fake.fail({ kind: 'failed', reason });
    expect((await failureOf(keychain.get('a.example'))).reason).toBe(words);
  });

  test('quotes nothing of an entry that regi did not write', async () => {
    const { keychain, fake } = keychainOf();
    fake.entries.set('a.example', 's3cret');
    expect(String(await failureOf(keychain.get('a.example')))).not.toContain('s3cret');
  });
});
