import { readFileSync, statSync, writeFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { PROMPT_MS, startDesktopSession } from '../../support/cli/desktop-session.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { describeReal, requireTool } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const USER = 'ci';
const PASSWORD = 'correct-horse-canary';
const AUTH = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');

/** A registry that wants a login, and a person who has none yet. */
async function start() {
  const { host } = await startDockerRegistry({ htpasswd: { user: USER, password: PASSWORD } });
  return { host, home: temporaryFolder('home') };
}

function login(
  host: string,
  env: Readonly<Record<string, string>>,
  password = PASSWORD,
  flags: readonly string[] = [],
): Promise<Finished> {
  return runRegi(['login', '-u', USER, '--password-stdin', ...flags, host], {
    env,
    input: `${password}\n`,
  });
}

/** Reads what only a login may see; what is not there is status 3, and a missing login 4. */
function read(host: string, env: Readonly<Record<string, string>>): Promise<Finished> {
  return runRegi(['digest', `${host}/absent:1`], { env });
}

function configFile(home: string): string {
  return join(home, '.docker', 'config.json');
}

async function timed<T>(
  task: () => Promise<T>,
): Promise<{ readonly result: T; readonly ms: number }> {
  const begin = performance.now();
  return { result: await task(), ms: performance.now() - begin };
}

describeReal('regi login without a keychain', ['docker-registry', 'skopeo'], () => {
  test('stores a login in the docker configuration that skopeo and regi read, and removes it', async () => {
    const { host, home } = await start();
    const env = { HOME: home };

    const done = await login(host, env);
    expect(done).toMatchObject({ status: 0, stdout: 'Login Succeeded\n' });
    expect(done.stderr).toContain(
      'Stored the login of ci in ~/.docker/config.json (not encrypted, mode 0600) because the keychain cannot be used: there is no D-Bus session',
    );
    expect(statSync(configFile(home)).mode % 0o1000).toBe(0o600);
    expect(await read(host, env)).toMatchObject({ status: 3 });
    const skopeo = await runProgram(requireTool('skopeo'), ['login', '--get-login', host], {
      env: { ...env, PATH: process.env['PATH'] ?? '' },
    });
    expect(skopeo).toMatchObject({ status: 0, stdout: `${USER}\n` });

    expect(await runRegi(['logout', host], { env })).toMatchObject({
      status: 0,
      stdout: `Removed the login for ${host} from ~/.docker/config.json\n`,
    });
    expect(await read(host, env)).toMatchObject({ status: 4 });
  });

  test('reads and replaces a login of skopeo', async () => {
    const { host, home } = await start();
    const env = { HOME: home, REGISTRY_AUTH_FILE: join(home, 'auth.json') };
    const skopeoEnv = { ...env, PATH: process.env['PATH'] ?? '' };
    const stored = await runProgram(
      requireTool('skopeo'),
      ['login', '--tls-verify=false', '-u', USER, '--password-stdin', host],
      {
        env: skopeoEnv,
        input: PASSWORD,
      },
    );
    expect(stored).toMatchObject({ status: 0 });

    expect(await read(host, env)).toMatchObject({ status: 3 });
    expect((await runRegi(['auth', 'list'], { env })).stdout).toContain(
      `${host}   ci     ~/auth.json   yes`,
    );
    expect(await login(host, env)).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('in ~/auth.json'),
    });
    expect(
      await runProgram(requireTool('skopeo'), ['login', '--get-login', host], { env: skopeoEnv }),
    ).toMatchObject({ stdout: `${USER}\n` });
  });

  test('refuses a wrong password with status 4, stores nothing and shows nothing', async () => {
    const { host, home } = await start();
    const refused = await login(host, { HOME: home }, 'wrong-canary', ['-vv']);
    expect(refused).toMatchObject({ status: 4, stdout: '' });
    expect(refused.stderr).not.toContain('wrong-canary');
    expect(refused.stderr).not.toContain(Buffer.from(`${USER}:wrong-canary`).toString('base64'));
    expect(existsSync(join(home, '.docker'))).toBe(false);
  });

  test('uses the credential helper of the docker configuration, by its real protocol', async () => {
    const { host, home } = await start();
    const bin = temporaryFolder('bin');
    writeFileSync(join(bin, 'docker-credential-drawer'), HELPER, { mode: 0o755 });
    mkdirSync(join(home, '.docker'));
    writeFileSync(
      configFile(home),
      JSON.stringify({ credsStore: 'drawer', auths: { [host]: { auth: 'b2xkOm9sZA==' } } }),
    );
    const env = { HOME: home, PATH: `${bin}:${process.env['PATH'] ?? ''}` };

    expect((await login(host, env)).stderr).toContain(
      'Stored the login of ci in docker-credential-drawer',
    );
    expect(JSON.parse(readFileSync(configFile(home), 'utf8'))).toEqual({
      credsStore: 'drawer',
      auths: { [host]: {} },
    });
    expect(await read(host, env)).toMatchObject({ status: 3 });
    expect((await runRegi(['auth', 'list'], { env })).stdout).toContain(
      `${host}   ci     docker-credential-drawer   yes`,
    );
    expect(await runRegi(['logout', host], { env })).toMatchObject({ status: 0 });
    expect(await read(host, env)).toMatchObject({ status: 4 });
  });
});

describeReal(
  'regi login with a real Secret Service',
  ['docker-registry', 'dbus-daemon', 'gnome-keyring-daemon', 'secret-tool'],
  () => {
    test('stores in the unlocked keyring over a stale entry, and the next regi reads it there', async () => {
      const { host, home } = await start();
      const session = await startDesktopSession({ home, keyring: 'unlocked' });
      mkdirSync(join(home, '.docker'));
      writeFileSync(
        configFile(home),
        JSON.stringify({ auths: { [host]: { auth: 'b2xkOm9sZA==' } } }),
      );

      const done = await login(host, session.env);
      expect(done).toMatchObject({ status: 0, stdout: 'Login Succeeded\n' });
      expect(done.stderr).toContain(`Removed the entry for ${host} from ~/.docker/config.json`);
      expect(done.stderr).toContain('Stored the login of ci in the keychain');
      expect(await session.search()).toContain(PASSWORD);
      expect(JSON.parse(readFileSync(configFile(home), 'utf8'))).toEqual({ auths: {} });
      expect(await read(host, session.env)).toMatchObject({ status: 3 });

      const listed = await runRegi(['auth', 'list', '-vv'], { env: session.env });
      expect(listed.stdout).toContain(`${host}   ci     the keychain   yes`);
      const index = readFileSync(join(home, '.config', 'regi', 'keychain.json'), 'utf8');
      for (const text of [listed.stdout, listed.stderr, index, done.stderr]) {
        expect(text).not.toContain(PASSWORD);
        expect(text).not.toContain(AUTH);
      }

      expect(await runRegi(['logout', host], { env: session.env })).toMatchObject({
        stdout: `Removed the login for ${host} from the keychain\n`,
      });
      expect(await session.search()).not.toContain(PASSWORD);
    });

    describe.each([
      [
        'locked, with no display for its prompt',
        { keyring: 'locked' },
        'it is locked, and was not unlocked',
      ],
      [
        'locked, with an ignored prompt',
        { keyring: 'locked', prompt: 'hangs' },
        'it did not respond within 3.5 s',
      ],
      ['not running', { keyring: 'none' }, 'no Secret Service runs in this session'],
    ] as const)('a keyring that is %s', (_name, options, reason) => {
      test('is not waited for, is listed, and does not affect other logins', async () => {
        const { host, home } = await start();
        const unlocked = await startDesktopSession({ home, keyring: 'unlocked' });
        expect(await login(host, unlocked.env)).toMatchObject({ status: 0 });
        await unlocked.stop();
        const { env } = await startDesktopSession({ home, ...options });

        const reading = await timed(() => read(host, env));
        expect(reading.result.stderr).toContain(
          `Cannot read the login for "${host}" from the keychain: ${reason}`,
        );
        expect(reading.result.status).toBe(4);
        expect(reading.ms).toBeLessThan(PROMPT_MS / 2);

        const refused = await timed(() => login(host, env, PASSWORD, ['--keychain-only']));
        expect(refused.result).toMatchObject({
          status: 1,
          stdout: '',
          stderr: expect.stringContaining(`Cannot store the login in the keychain: ${reason}`),
        });
        expect(refused.ms).toBeLessThan(PROMPT_MS / 2);
        expect(existsSync(configFile(home))).toBe(false);

        const storing = await timed(() => login(host, env));
        expect(storing.result).toMatchObject({
          status: 0,
          stderr: expect.stringContaining(
            `in ~/.docker/config.json (not encrypted, mode 0600) because`,
          ),
        });
        expect(storing.result.stderr).toContain(reason);
        expect(storing.ms).toBeLessThan(PROMPT_MS / 2);
        expect(await read(host, env)).toMatchObject({ status: 3 });
      });
    });

    test('does not access a locked keyring that has no entry of regi', async () => {
      const { host, home } = await start();
      const { env } = await startDesktopSession({ home, keyring: 'locked', prompt: 'hangs' });
      const { status, stderr } = await read(host, env);
      expect(status).toBe(4);
      // If the keychain had been used, the output would say that it did not respond.
      expect(stderr).not.toContain('keychain');
    });
  },
);

/** Keeps one login in a file beside itself; every verb as docker's own helpers do it. */
const HELPER = `#!/bin/sh
drawer="$0.login"
case $1 in
  store) cat > "$drawer" ;;
  get) read -r key; if [ -f "$drawer" ] && grep -qF "\\"$key\\"" "$drawer"; then cat "$drawer"; else echo 'credentials not found in native keychain'; exit 1; fi ;;
  erase) rm -f "$drawer" ;;
  list) if [ -f "$drawer" ]; then sed 's/.*"ServerURL":\\("[^"]*"\\),"Username":\\("[^"]*"\\).*/{\\1:\\2}/' "$drawer"; else echo '{}'; fi ;;
esac
`;
