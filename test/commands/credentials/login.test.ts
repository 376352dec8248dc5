import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { homeWith } from '../../support/cli/home.ts';
import { startFakeRegistry } from '../../support/registries/fake-registry.ts';
import { fakeKeychain } from '../../support/cli/fake-keychain.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import {
  PASSWORD,
  BUS,
  regi,
  configOf,
  authOf,
  basicRegistry,
} from '../../support/cli/run-login.ts';

describe('regi login', () => {
  test('stores a login that the registry accepts, and notes the place on standard error', async () => {
    const { host, home } = await basicRegistry();
    const { status, stdout, stderr } = await regi(
      ['login', '-u', 'ci', '--password-stdin', `http://${host}/`],
      { home, stdin: `${PASSWORD}\n` },
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'Login Succeeded\n' });
    expect(stderr).toContain(
      'Stored the login of ci in ~/.docker/config.json (not encrypted, mode 0600) because the keychain cannot be used: ',
    );
    expect(stderr).not.toContain(PASSWORD);
    expect(configOf(home)).toEqual({ auths: { [host]: { auth: authOf('ci') } } });
  });

  test('stores nothing when the registry refuses the login, and exits 4', async () => {
    const { host, home } = await basicRegistry();
    const { status, stdout, stderr } = await regi(
      ['login', '-vv', '-u', 'ci', '--password-stdin', host],
      { home, stdin: 'wrong-canary' },
    );
    expect({ status, stdout }).toEqual({ status: 4, stdout: '' });
    expect(stderr).toContain(
      `Cannot log in to "${host}" as "ci": the registry refused it (status 401); nothing is stored`,
    );
    expect(stderr).not.toContain('wrong-canary');
    expect(stderr).not.toContain(authOf('ci', 'wrong-canary'));
    expect(configOf(home)).toBeUndefined();
  });

  test('does not take a token for everybody for a login', async () => {
    const { host } = await startFakeRegistry({
      auth: { kind: 'bearer', users: { ci: PASSWORD }, anonymous: ['pull'] },
    });
    const home = temporaryFolder();
    expect(
      await regi(['login', '-u', 'ci', '--password-stdin', host], { home, stdin: 'wrong' }),
    ).toMatchObject({ status: 4 });
    expect(configOf(home)).toBeUndefined();
    expect(
      await regi(['login', '-u', 'ci', '--password-stdin', host], { home, stdin: PASSWORD }),
    ).toMatchObject({ status: 0 });
  });

  test('checks the typed login, not a stored one', async () => {
    const { host, home } = await basicRegistry();
    mkdirSync(join(home, '.docker'));
    const before = { auths: { [host]: { auth: authOf('ci') } } };
    writeFileSync(join(home, '.docker', 'config.json'), JSON.stringify(before));
    expect(
      await regi(['login', '-u', 'ci', '--password-stdin', host], { home, stdin: 'wrong' }),
    ).toMatchObject({ status: 4 });
    expect(configOf(home)).toEqual(before);
  });

  test('asks at a terminal, the password hidden', async () => {
    const { host, home } = await basicRegistry();
    const { status, io } = await regi(['login', host], {
      home,
      isTTY: true,
      typed: ['ci', PASSWORD],
    });
    expect(status).toBe(0);
    expect(io.questions()).toEqual([
      { question: `User name for ${host}: `, hidden: false },
      { question: `Password for ${host}: `, hidden: true },
    ]);
  });

  test('stores in the keychain, where the next command reads the login', async () => {
    const { host, home } = await basicRegistry();
    const keychain = fakeKeychain();
    const options = { home, env: BUS, runKeychain: keychain.run };
    const { stderr } = await regi(['login', '-u', 'ci', '--password-stdin', host], {
      ...options,
      stdin: PASSWORD,
    });
    expect(stderr).toContain('Stored the login of ci in the keychain\n');
    expect(configOf(home)).toBeUndefined();
    expect(await regi(['digest', `${host}/absent:1`], options)).toMatchObject({ status: 3 });
    expect(await regi(['auth', 'list'], options)).toMatchObject({
      stdout: expect.stringMatching(/ci +the keychain +yes\n$/),
    });
  });

  test('is its own helper where docker names it, and need not be on the PATH', async () => {
    const { host } = await basicRegistry();
    const home = homeWith({ '.docker/config.json': '{"credsStore":"regi"}' });
    const keychain = fakeKeychain();
    const options = { home, env: BUS, runKeychain: keychain.run };
    const { status, stderr } = await regi(['login', '-u', 'ci', '--password-stdin', host], {
      ...options,
      stdin: PASSWORD,
    });
    expect([status, stderr]).toEqual([0, 'Stored the login of ci in docker-credential-regi\n']);
    expect([...keychain.entries.keys()]).toEqual([host]);
    expect(configOf(home)).toEqual({ credsStore: 'regi', auths: { [host]: {} } });
    expect(await regi(['digest', `${host}/absent:1`], options)).toMatchObject({ status: 3 });
    expect((await regi(['auth', 'list'], options)).stdout.trimEnd().split('\n').slice(1)).toEqual([
      `${host}   ci     docker-credential-regi   yes`,
    ]);
    expect(await regi(['logout', host], options)).toMatchObject({ status: 0, stderr: '' });
    expect(keychain.entries.size).toBe(0);
  });

  test('stores a login nowhere else when docker names the keychain and it refuses', async () => {
    const { host } = await basicRegistry();
    const home = homeWith({ '.docker/config.json': '{"credsStore":"regi"}' });
    const { status, stderr } = await regi(['login', '-u', 'ci', '--password-stdin', host], {
      home,
      stdin: PASSWORD,
    });
    expect(status).toBe(1);
    expect(stderr).toContain('Cannot use the keychain: ');
    expect(configOf(home)).toEqual({ credsStore: 'regi' });
  });

  test('stores a login that is too long for the keychain in the file, and notes why', async () => {
    const { host, home } = await basicRegistry();
    const keychain = fakeKeychain();
    keychain.fail({
      kind: 'failed',
      reason: 'the secret has 40000 characters, and it takes at most 30720',
    });
    const { status, stderr } = await regi(['login', '-u', 'ci', '--password-stdin', host], {
      home,
      env: BUS,
      runKeychain: keychain.run,
      stdin: PASSWORD,
    });
    expect(status).toBe(0);
    expect(stderr).toContain(
      'in ~/.docker/config.json (not encrypted, mode 0600) because the keychain cannot be used: the password is too long for it',
    );
    expect(configOf(home)).toEqual({ auths: { [host]: { auth: authOf('ci') } } });
  });

  test('keeps its index of the keychain beside a config.yaml that REGI_CONFIG names elsewhere', async () => {
    const { host, home } = await basicRegistry();
    writeFileSync(join(home, 'own.yaml'), 'hosts: {}\n');
    const options = {
      home,
      env: { ...BUS, REGI_CONFIG: join(home, 'own.yaml') },
      runKeychain: fakeKeychain().run,
    };
    expect(
      await regi(['login', '-u', 'ci', '--password-stdin', host], { ...options, stdin: PASSWORD }),
    ).toMatchObject({ status: 0 });
    expect(await regi(['digest', `${host}/absent:1`], options)).toMatchObject({ status: 3 });
  });

  test('removes the entry that would be used instead, and says so', async () => {
    const { host, home } = await basicRegistry();
    mkdirSync(join(home, '.docker'));
    writeFileSync(
      join(home, '.docker', 'config.json'),
      JSON.stringify({ auths: { [`https://${host}/v1/`]: { auth: authOf('old') } } }),
    );
    const { stderr } = await regi(['login', '-u', 'ci', '--password-stdin', host], {
      home,
      env: BUS,
      runKeychain: fakeKeychain().run,
      stdin: PASSWORD,
    });
    expect(stderr).toContain(
      `Removed the entry for ${host} from ~/.docker/config.json, which would have taken precedence\n`,
    );
    expect(configOf(home)).toEqual({ auths: {} });
  });

  test('--keychain-only stores nothing without a keychain', async () => {
    const { host, home } = await basicRegistry();
    const { status, stderr } = await regi(
      ['login', '-u', 'ci', '--password-stdin', '--keychain-only', host],
      { home, stdin: PASSWORD },
    );
    expect(status).toBe(1);
    expect(stderr).toContain('nothing is stored');
    expect(configOf(home)).toBeUndefined();
  });

  test('warns that a registry requires no login, and stores it', async () => {
    const { host } = await startFakeRegistry();
    const home = temporaryFolder();
    const { status, stderr } = await regi(['login', '-u', 'ci', '--password-stdin', host], {
      home,
      stdin: PASSWORD,
    });
    expect(status).toBe(0);
    expect(stderr).toContain(`"${host}" requires no login, so this one is stored unchecked`);
    expect(configOf(home)).toEqual({ auths: { [host]: { auth: authOf('ci') } } });
  });

  test('warns of a login that is used instead', async () => {
    const { host, home } = await basicRegistry();
    const env = { REGI_REGISTRY: host, REGI_USERNAME: 'robot', REGI_PASSWORD: 'x' };
    const { stderr } = await regi(['login', '-u', 'ci', '--password-stdin', host], {
      home,
      env,
      stdin: PASSWORD,
    });
    expect(stderr).toContain('The login in REGI_USERNAME and REGI_PASSWORD takes precedence');
  });

  test('stores nothing when the variables of another login are incomplete', async () => {
    const { host, home } = await basicRegistry();
    const { status, stderr } = await regi(['login', '-u', 'ci', '--password-stdin', host], {
      home,
      env: { REGI_USERNAME: 'robot' },
      stdin: PASSWORD,
    });
    expect(status).toBe(2);
    expect(stderr).toContain('found no REGI_REGISTRY and no REGI_PASSWORD');
    expect(configOf(home)).toBeUndefined();
  });

  test('--json prints one object', async () => {
    const { host, home } = await basicRegistry();
    const { stdout } = await regi(['login', '--json', '-u', 'ci', '--password-stdin', host], {
      home,
      stdin: PASSWORD,
    });
    expect(JSON.parse(stdout)).toEqual({
      registry: host,
      username: 'ci',
      checked: true,
      storedIn: 'file',
      place: '~/.docker/config.json',
    });
  });

  test.each([
    ['a password as an argument', ['-u', 'ci', '-ps3cret-canary'], 'Cannot use "-p"'],
    ['a password as a value', ['-u', 'ci', '--password=s3cret-canary'], 'Cannot use "--password"'],
    ['no terminal', ['-u', 'ci'], 'Cannot ask for a password'],
    ['no user name', ['--password-stdin'], 'Cannot log in without a user name'],
    [
      'user and password in one',
      ['-u', 'ci:s3cret-canary', '--password-stdin'],
      'Cannot log in with that user name',
    ],
    [
      'two places',
      ['-u', 'ci', '--password-stdin', '--keychain-only', '--authfile', 'x'],
      'Cannot use --keychain-only with --authfile',
    ],
  ])('refuses %s before anything is sent', async (_name, flags, message) => {
    const { status, stderr } = await regi(['login', 'registry.invalid', ...flags], {
      stdin: PASSWORD,
    });
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('s3cret-canary');
  });

  test.each([
    ['', 'nothing came from standard input'],
    ['\n', 'empty password'],
    ['one\ntwo\n', 'several lines'],
  ])('refuses %j as a password', async (stdin, message) => {
    const { status, stderr } = await regi(
      ['login', 'registry.invalid', '-u', 'ci', '--password-stdin'],
      { stdin },
    );
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  test.each(['quay', 'https://me:s3cret-canary@registry.example', 'a b.example'])(
    'refuses %j as a registry',
    async (registry) => {
      const { status, stderr } = await regi(['login', registry, '-u', 'ci', '--password-stdin'], {
        stdin: PASSWORD,
      });
      expect(status).toBe(2);
      expect(stderr).not.toContain('s3cret-canary');
    },
  );
});
