import { describe, expect, test } from 'vitest';

import { createKeychain } from '../../../src/credentials/keychain/keychain.ts';
import { readKeychainIndex } from '../../../src/credentials/keychain/index-file.ts';
import { runHelperVerb } from '../../../src/credentials/logins/serve-helper.ts';
import { instantClock } from '../../support/clock.ts';
import { fakeKeychain } from '../../support/cli/fake-keychain.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const HUB = 'https://index.docker.io/v1/';
const NOT_FOUND = { status: 1, stdout: 'credentials not found in native keychain\n' };

function helper() {
  const fake = fakeKeychain();
  const place = { env: {}, home: temporaryFolder('home') };
  const keychain = createKeychain({
    run: fake.run,
    env: {},
    os: 'darwin',
    isTerminal: false,
    clock: instantClock(),
    note: () => undefined,
  });
  const ask = (verb: string, input = '') => runHelperVerb(verb, input, { ...place, keychain });
  const store = (url: string, user = 'ci') =>
    ask('store', JSON.stringify({ ServerURL: url, Username: user, Secret: 's3cret' }));
  return { fake, place, ask, store };
}

describe('runHelperVerb()', () => {
  test('returns a stored login under the requested name', async () => {
    const { ask, store } = helper();
    expect(await store('registry.local:5000')).toEqual({ status: 0, stdout: '' });
    expect(await ask('get', 'registry.local:5000\n')).toEqual({
      status: 0,
      stdout: '{"ServerURL":"registry.local:5000","Username":"ci","Secret":"s3cret"}\n',
    });
  });

  test.each([
    [HUB, 'docker.io'],
    ['https://registry.example/v2/', 'registry.example'],
    ['registry.example:5000', 'http://registry.example:5000'],
  ])('treats %s and %s as the same registry', async (stored, asked) => {
    const { ask, store } = helper();
    await store(stored);
    expect((await ask('get', asked)).status).toBe(0);
  });

  test('prints "not found" without access to the keychain when the index has no entry', async () => {
    const { ask, fake } = helper();
    expect(await ask('get', 'registry.example')).toEqual(NOT_FOUND);
    expect(fake.asked).toEqual([]);
  });

  test('lists user names without secrets', async () => {
    const { ask, store } = helper();
    expect(await ask('list', 'unused')).toEqual({ status: 0, stdout: '{}\n' });
    await store(HUB, 'octocat');
    await store('registry.example');
    expect(await ask('list')).toEqual({
      status: 0,
      stdout: `{"${HUB}":"octocat","registry.example":"ci"}\n`,
    });
  });

  test('erases a login, and succeeds when there is none', async () => {
    const { ask, store, fake, place } = helper();
    await store('registry.example');
    for (const url of ['registry.example', 'http://registry.example', 'https://registry.example']) {
      expect(await ask('erase', url)).toEqual({ status: 0, stdout: '' });
    }
    expect(await ask('get', 'registry.example')).toEqual(NOT_FOUND);
    expect([fake.entries.size, (await readKeychainIndex(place)).size]).toEqual([0, 0]);
  });

  test.each([
    ['get', '', 'no credentials server URL'],
    ['erase', '\n', 'no credentials server URL'],
    ['store', '{"ServerURL":"","Username":"ci","Secret":"x"}', 'no credentials server URL'],
    ['store', '{"ServerURL":"a.example","Username":"","Secret":"x"}', 'no credentials username'],
    [
      'store',
      's3cret',
      'Cannot store a login: expected JSON with "ServerURL", "Username" and "Secret"',
    ],
    ['gte', '', 'Cannot run "gte": expected get, store, erase, list or version'],
  ])('refuses %s of %j on standard output with status 1', async (verb, input, stdout) => {
    const { ask } = helper();
    expect(await ask(verb, input)).toEqual({ status: 1, stdout: `${stdout}\n` });
  });

  test('prints the error of the keychain and its hint', async () => {
    const { ask, store, fake } = helper();
    await store('registry.example');
    fake.fail({ kind: 'failed', reason: 'unlock prompt was dismissed' });
    expect(await ask('get', 'registry.example')).toEqual({
      status: 1,
      stdout:
        'Cannot use the keychain: it is locked, and was not unlocked; unlock it in the desktop session, and try again\n',
    });
  });
});
