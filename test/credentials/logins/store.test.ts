import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { createKeychain } from '../../../src/credentials/keychain/keychain.ts';
import { listLogins } from '../../../src/credentials/logins/list.ts';
import { removeLogin } from '../../../src/credentials/logins/remove.ts';
import { storeLogin, type StoreLoginOptions } from '../../../src/credentials/logins/store.ts';
import { instantClock } from '../../support/clock.ts';
import { fakeHelper } from '../../support/cli/fake-helper.ts';
import { fakeKeychain } from '../../support/cli/fake-keychain.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const HOST = 'a.example:5000';
const LOGIN = { username: 'ci', password: 's3cret-canary' };
const AUTH = Buffer.from('ci:s3cret-canary').toString('base64');

/** A home with a docker configuration, a helper called `fake` and a keychain that works. */
async function setUp(config?: unknown, env: Readonly<Record<string, string>> = {}) {
  const home = temporaryFolder();
  const path = join(home, '.docker', 'config.json');
  await mkdir(join(home, '.docker'));
  if (config !== undefined) await writeFile(path, JSON.stringify(config));
  const helper = fakeHelper();
  const fake = fakeKeychain();
  const warnings: string[] = [];
  const surroundings = {
    env: { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere', ...env },
    home,
    cwd: home,
  };
  const keychain = createKeychain({
    run: fake.run,
    ...surroundings,
    os: 'linux',
    isTerminal: false,
    clock: instantClock(),
    note: () => undefined,
  });
  const options: StoreLoginOptions = {
    ...surroundings,
    warn: (message) => warnings.push(message),
    runHelper: helper.run,
    keychain,
    keychainOnly: false,
  };
  const read = async (file = path): Promise<unknown> =>
    JSON.parse(await readFile(file, 'utf8').catch(() => 'null'));
  return { home, path, helper, fake, options, warnings, read };
}

describe('storeLogin()', () => {
  test('stores in the helper that docker uses, and in no file', async () => {
    const { options, helper, read, fake } = await setUp({
      credsStore: 'fake',
      auths: { [HOST]: { auth: 'b2xkOm9sZA==' } },
    });
    expect(await storeLogin(HOST, LOGIN, options)).toEqual({
      kind: 'helper',
      origin: 'docker-credential-fake',
      removedFrom: '~/.docker/config.json',
    });
    expect(helper.entries.get(HOST)).toEqual({ username: 'ci', secret: 's3cret-canary' });
    expect(await read()).toEqual({ credsStore: 'fake', auths: { [HOST]: {} } });
    expect(fake.asked).toEqual([]);
  });

  test("stores a login for Docker Hub under docker's key", async () => {
    const { options, helper } = await setUp({ credsStore: 'fake' });
    await storeLogin('docker.io', LOGIN, options);
    expect([...helper.entries.keys()]).toEqual(['https://index.docker.io/v1/']);
  });

  test('stores nothing when the helper fails', async () => {
    const { options, read, fake } = await setUp({ credHelpers: { [HOST]: 'gone' } });
    await expect(storeLogin(HOST, LOGIN, options)).rejects.toMatchObject({
      message: expect.stringContaining('"docker-credential-gone"') as string,
    });
    expect(await read()).toEqual({ credHelpers: { [HOST]: 'gone' } });
    expect(fake.entries.size).toBe(0);
  });

  test('hides the secret when a helper quotes it', async () => {
    const { options } = await setUp({ credsStore: 'fake' });
    const runHelper: StoreLoginOptions['runHelper'] = async (_name, _verb, input) => ({
      kind: 'exited',
      status: 1,
      stdout: `cannot store ${input}`,
    });
    const error: unknown = await storeLogin(HOST, LOGIN, { ...options, runHelper }).catch(
      (thrown: unknown) => thrown,
    );
    expect(String(error)).toContain('cannot store');
    expect(String(error)).not.toContain('s3cret-canary');
  });

  test('stores in the keychain, and removes the plain entry that would be read first', async () => {
    const { options, fake, read } = await setUp({
      auths: { [`http://${HOST}/v1/`]: { auth: 'b2xkOm9sZA==' }, other: { auth: 'eDp5' } },
    });
    expect(await storeLogin(HOST, LOGIN, options)).toEqual({
      kind: 'keychain',
      origin: 'the keychain',
      removedFrom: '~/.docker/config.json',
    });
    expect([...fake.entries]).toEqual([[HOST, '{"Username":"ci","Secret":"s3cret-canary"}']]);
    expect(await read()).toEqual({ auths: { other: { auth: 'eDp5' } } });
  });

  test('stores in the file when the keychain cannot be used, and says why', async () => {
    const { options, fake, read, home } = await setUp();
    fake.fail({ kind: 'timed-out' });
    expect(await storeLogin(HOST, LOGIN, options)).toMatchObject({
      kind: 'file',
      origin: '~/.docker/config.json',
      fallback: { code: 'TIMEOUT' },
    });
    expect(await read()).toEqual({ auths: { [HOST]: { auth: AUTH } } });
    expect(await read(join(home, '.config', 'regi', 'keychain.json'))).toBeNull();
  });

  test('stores in the file when credHelpers names an empty helper', async () => {
    const { options, fake } = await setUp({ credsStore: 'fake', credHelpers: { [HOST]: '' } });
    expect(await storeLogin(HOST, LOGIN, options)).toEqual({
      kind: 'file',
      origin: '~/.docker/config.json',
    });
    expect(fake.asked).toEqual([]);
  });

  test('stores nothing in a file when keychainOnly is set', async () => {
    const { options, fake, read } = await setUp({ auths: {} });
    fake.fail({ kind: 'failed', reason: 'unlock prompt was dismissed' });
    await expect(storeLogin(HOST, LOGIN, { ...options, keychainOnly: true })).rejects.toThrow(
      'Cannot store the login in the keychain: it is locked, and was not unlocked; nothing is stored',
    );
    expect(await read()).toEqual({ auths: {} });
  });

  test.each([
    ['a.example', 'a.example'],
    ['docker.io', 'docker.io'],
  ])('stores %s in the named auth file as podman does', async (host, key) => {
    const { options, home, read, fake } = await setUp({ credsStore: 'fake' });
    const authfile = join(home, 'auth.json');
    expect(await storeLogin(host, LOGIN, { ...options, authfile })).toEqual({
      kind: 'file',
      origin: '~/auth.json',
    });
    expect(await read(authfile)).toEqual({ auths: { [key]: { auth: AUTH } } });
    expect(fake.asked).toEqual([]);
  });
});

describe('listLogins()', () => {
  test('lists every place in order, and marks the login that is used', async () => {
    const { options, home } = await setUp(
      { auths: { [HOST]: { auth: 'YTpi' } } },
      { REGI_REGISTRY: 'env.example', REGI_USERNAME: 'robot', REGI_PASSWORD: 'x' },
    );
    await storeLogin('kept.example', LOGIN, options);
    await mkdir(join(home, '.config', 'containers'), { recursive: true });
    await writeFile(
      join(home, '.config', 'containers', 'auth.json'),
      JSON.stringify({
        auths: {
          [HOST]: { auth: 'YzpkZA==' },
          [`${HOST}/team`]: { auth: 'ZTpm' },
          'new.example': { auth: 'Zzpo' },
          'new.example/team': { auth: 'Zzpo' },
          'kept.example': { auth: 'ZTpm' },
        },
      }),
    );
    const rows = (await listLogins(options)).map(({ registry, username, origin, used, reason }) => [
      registry,
      username,
      origin,
      used ? 'used' : reason,
    ]);
    expect(rows).toEqual([
      ['env.example', 'robot', 'REGI_USERNAME and REGI_PASSWORD', 'used'],
      [HOST, 'a', '~/.docker/config.json', 'used'],
      ['kept.example', 'ci', 'the keychain', 'used'],
      [HOST, 'c', '~/.config/containers/auth.json', 'it is asked after ~/.docker/config.json'],
      [
        `${HOST}/team`,
        'e',
        '~/.config/containers/auth.json',
        'it is asked after ~/.docker/config.json',
      ],
      ['new.example', 'g', '~/.config/containers/auth.json', 'used'],
      ['new.example/team', 'g', '~/.config/containers/auth.json', 'used'],
      ['kept.example', 'e', '~/.config/containers/auth.json', 'it is asked after the keychain'],
    ]);
  });

  test('asks helpers for names, never for secrets', async () => {
    const { options, helper } = await setUp({
      credsStore: 'fake',
      auths: { plain: { auth: 'YTpi' } },
      credHelpers: { 'cloud.example': 'fake' },
    });
    helper.entries.set('https://index.docker.io/v1/', { username: 'me', secret: 's3cret-canary' });
    const logins = await listLogins(options);
    expect(helper.asked).toEqual(['list']);
    expect(JSON.stringify(logins)).not.toContain('s3cret-canary');
    expect(
      logins.map(({ registry, username, used, reason }) => [registry, username, used || reason]),
    ).toEqual([
      ['docker.io', 'me', true],
      ['cloud.example', undefined, true],
      ['plain', 'a', 'docker-credential-fake is asked instead'],
    ]);
  });

  test('warns of a helper that cannot list, and continues', async () => {
    const { options, warnings } = await setUp({ credHelpers: { 'cloud.example': 'gone' } });
    expect((await listLogins(options)).map(({ registry, origin }) => [registry, origin])).toEqual([
      ['cloud.example', 'docker-credential-gone'],
    ]);
    expect(warnings).toEqual([expect.stringContaining('docker-credential-gone')]);
  });

  test('does not access the keychain', async () => {
    const { options, fake } = await setUp();
    await storeLogin(HOST, LOGIN, options);
    fake.fail({ kind: 'timed-out' });
    expect(await listLogins(options)).toHaveLength(1);
  });
});

describe('removeLogin()', () => {
  test.each([
    ['a helper', { credsStore: 'fake' }],
    ['the keychain', undefined],
    ['the file', { credHelpers: { [HOST]: '' } }],
  ])('removes what was stored in %s', async (_name, config) => {
    const { options, helper, fake, read } = await setUp(config);
    await storeLogin(HOST, LOGIN, options);
    for (const login of await listLogins(options)) await removeLogin(login, options);
    expect(await listLogins(options)).toEqual([]);
    expect([helper.entries.size, fake.entries.size]).toEqual([0, 0]);
    expect(JSON.stringify(await read())).not.toContain('a.example:5000":{');
  });
});
