import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { expectGolden } from '../../support/golden.ts';
import { homeWith } from '../../support/cli/home.ts';
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

describe('regi logout', () => {
  test('removes the login that is used and names the one that remains', async () => {
    const { host, home } = await basicRegistry();
    const keychain = fakeKeychain();
    const options = { home, env: BUS, runKeychain: keychain.run };
    await regi(['login', '-u', 'ci', '--password-stdin', host], { ...options, stdin: PASSWORD });
    mkdirSync(join(home, '.docker'), { recursive: true });
    writeFileSync(
      join(home, '.docker', 'config.json'),
      JSON.stringify({ auths: { [host]: { auth: authOf('ci') } } }),
    );

    const first = await regi(['logout', host], options);
    expect(first).toMatchObject({
      status: 0,
      stdout: `Removed the login for ${host} from ~/.docker/config.json\n`,
    });
    expect(first.stderr).toContain(
      `Another login for "${host}" remains in the keychain\n  to remove it too: regi logout --all ${host}\n`,
    );
    expect(await regi(['logout', '--all', host], options)).toMatchObject({
      stdout: `Removed the login for ${host} from the keychain\n`,
      stderr: '',
    });
    expect(await regi(['logout', host], options)).toMatchObject({
      status: 0,
      stdout: `Not logged in to ${host}\n`,
    });
    expect(keychain.entries.size).toBe(0);
  });

  test('leaves variables to their owner', async () => {
    const env = { REGI_REGISTRY: 'a.example', REGI_USERNAME: 'robot', REGI_PASSWORD: 'x' };
    const { stderr } = await regi(['logout', 'a.example'], { home: temporaryFolder(), env });
    expect(stderr).toContain('unset REGI_REGISTRY REGI_USERNAME REGI_PASSWORD');
  });

  test('removes the entry of a .dockercfg, which has no "auths"', async () => {
    const home = homeWith({
      '.dockercfg': JSON.stringify({
        'https://b.example/v1/': { auth: authOf('old') },
        c: { auth: authOf('other') },
      }),
    });
    expect(await regi(['logout', 'b.example'], { home })).toMatchObject({
      status: 0,
      stdout: 'Removed the login for b.example from ~/.dockercfg\n',
    });
    expect(JSON.parse(readFileSync(join(home, '.dockercfg'), 'utf8'))).toEqual({
      c: { auth: authOf('other') },
    });
  });

  test('removes everything that is stored with --all alone', async () => {
    const home = temporaryFolder();
    mkdirSync(join(home, '.docker'));
    writeFileSync(
      join(home, '.docker', 'config.json'),
      JSON.stringify({ auths: { a: { auth: authOf('ci') }, b: { auth: authOf('ci') } } }),
    );
    expect((await regi(['logout', '--all'], { home })).stdout.split('\n')).toHaveLength(3);
    expect(configOf(home)).toEqual({ auths: {} });
    expect(await regi(['logout', '--all'], { home })).toMatchObject({
      stdout: 'Not logged in to any registry\n',
    });
  });
});

describe('regi auth list', () => {
  test('prints a table, and nothing secret in any form', async () => {
    const home = temporaryFolder();
    mkdirSync(join(home, '.docker'));
    writeFileSync(
      join(home, '.docker', 'config.json'),
      JSON.stringify({
        auths: { 'a.example': { auth: authOf('ci') }, b: { identitytoken: PASSWORD } },
      }),
    );
    const { stdout, stderr } = await regi(['auth', 'list'], { home });
    expect(stdout).toBe(
      'REGISTRY    USER      PLACE                   USED\na.example   ci        ~/.docker/config.json   yes\nb           <token>   ~/.docker/config.json   yes\n',
    );
    const json = await regi(['auth', 'list', '--json', '-vv'], { home });
    expect(JSON.parse(json.stdout.split('\n')[0] ?? '')).toEqual({
      registry: 'a.example',
      username: 'ci',
      place: '~/.docker/config.json',
      used: true,
      reason: 'it is the only one',
    });
    const all = stdout + stderr + json.stdout + json.stderr;
    for (const secret of [PASSWORD, authOf('ci')]) expect(all).not.toContain(secret);
  });

  test('says of several logins for one registry which is used, and why', async () => {
    const home = homeWith({
      '.docker/config.json': JSON.stringify({
        auths: { 'a.example': { auth: authOf('one') }, 'c.example': { auth: authOf('x') } },
        credHelpers: { 'c.example': '' },
      }),
      '.config/containers/auth.json': JSON.stringify({
        auths: {
          'a.example': { auth: authOf('two') },
          'a.example/team': { auth: authOf('three') },
        },
      }),
      '.dockercfg': JSON.stringify({ 'https://b.example/v1/': { auth: authOf('old') } }),
    });
    const { stdout } = await regi(['auth', 'list'], {
      home,
      env: { REGI_REGISTRY: 'c.example', REGI_USERNAME: 'me', REGI_PASSWORD: 'x' },
    });
    expectGolden('test/golden/auth-list.txt', stdout);
  });

  test('shows what to type when there are none', async () => {
    expect(await regi(['auth', 'list'], { home: temporaryFolder() })).toMatchObject({
      status: 0,
      stdout: '',
      stderr: 'No logins are stored; to store one, type: regi login REGISTRY\n',
    });
  });
});

describe('regi auth get', () => {
  const home = temporaryFolder();
  mkdirSync(join(home, '.docker'));
  writeFileSync(
    join(home, '.docker', 'config.json'),
    JSON.stringify({
      auths: { 'a.example': { auth: authOf('ci') }, b: { identitytoken: 'token' } },
    }),
  );

  test('speaks the protocol of credential helpers', async () => {
    expect((await regi(['auth', 'get', 'a.example'], { home })).stdout).toBe(
      `{"ServerURL":"a.example","Username":"ci","Secret":"${PASSWORD}"}\n`,
    );
  });

  test('refuses to show a password on a terminal', async () => {
    expect(await regi(['auth', 'get', 'a.example'], { home, isTTY: true })).toMatchObject({
      status: 2,
      stdout: '',
    });
  });

  test('fails where nothing is stored', async () => {
    expect(await regi(['auth', 'get', 'c.example'], { home })).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('regi login c.example'),
    });
  });
});
