import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { PROMPT_MS, startDesktopSession } from '../../support/cli/desktop-session.ts';
import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { describeReal, requireTool, type Tool } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { ROOT } from '../../support/root.ts';

const USER = 'ci';
const PASSWORD = 'correct-horse-canary';
const PROGRAM = join(ROOT, 'bin/docker-credential-regi.js');

/**
 * A registry that wants a login, a desktop with an unlocked keyring, and docker-credential-regi on
 * the PATH as npm puts it there.
 */
async function start(config: (host: string) => object) {
  const { host } = await startDockerRegistry({ htpasswd: { user: USER, password: PASSWORD } });
  const home = temporaryFolder('home');
  const session = await startDesktopSession({ home, keyring: 'unlocked' });
  const bin = temporaryFolder('bin');
  symlinkSync(PROGRAM, join(bin, 'docker-credential-regi'));
  symlinkSync(process.execPath, join(bin, 'node'));
  const file = join(home, '.docker', 'config.json');
  mkdirSync(join(home, '.docker'));
  writeFileSync(file, JSON.stringify(config(host)));
  const env = { ...session.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  const run = (tool: Tool, args: readonly string[], input?: string): Promise<Finished> =>
    runProgram(requireTool(tool), args, { env, input });
  return { host, home, session, env, file, run };
}

function read(host: string, env: Readonly<Record<string, string>>): Promise<Finished> {
  return runRegi(['digest', `${host}/absent:1`], { env });
}

describeReal(
  'docker-credential-regi',
  ['docker-registry', 'dbus-daemon', 'gnome-keyring-daemon', 'secret-tool', 'skopeo', 'podman'],
  () => {
    test('stores a login of a client in the real keyring, and removes it', async () => {
      const { session, env } = await start(() => ({}));
      const helper = (verb: string, input: string): Promise<Finished> =>
        runProgram(process.execPath, [PROGRAM, verb], { env, input });
      const login = `{"ServerURL":"https://index.docker.io/v1/","Username":"${USER}","Secret":"${PASSWORD}"}\n`;
      expect(await helper('store', login)).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(await session.search()).toContain(PASSWORD);
      expect(await helper('get', 'https://index.docker.io/v1/\n')).toEqual({
        status: 0,
        stdout: login,
        stderr: '',
      });
      expect(await helper('list', '')).toEqual({
        status: 0,
        stdout: `{"https://index.docker.io/v1/":"${USER}"}\n`,
        stderr: '',
      });
      expect(await helper('erase', 'https://index.docker.io/v1/')).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      });
      expect(await helper('get', 'https://index.docker.io/v1/')).toEqual({
        status: 1,
        stdout: 'credentials not found in native keychain\n',
        stderr: '',
      });
      expect(await session.search()).not.toContain(PASSWORD);
    });

    test('serves a login of regi to podman and skopeo when credHelpers names it', async () => {
      const { host, session, env, file, run } = await start((name) => ({
        credHelpers: { [name]: 'regi' },
      }));
      const done = await runRegi(['login', '-u', USER, '--password-stdin', host], {
        env,
        input: PASSWORD,
      });
      expect(done).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('Stored the login of ci in docker-credential-regi'),
      });
      expect(await session.search()).toContain(PASSWORD);
      expect(readFileSync(file, 'utf8')).not.toContain(
        Buffer.from(`${USER}:${PASSWORD}`).toString('base64'),
      );
      expect(await read(host, env)).toMatchObject({ status: 3 });

      expect(await run('skopeo', ['login', '--get-login', host])).toMatchObject({
        status: 0,
        stdout: `${USER}\n`,
      });
      const listed = await run('skopeo', [
        'list-tags',
        '--tls-verify=false',
        `docker://${host}/absent`,
      ]);
      expect(listed.stderr).toContain('from registry 404');
      expect(await run('podman', ['login', '--get-login', host])).toMatchObject({
        status: 0,
        stdout: `${USER}\n`,
      });
    });

    test('stores logins of skopeo and podman when an auth.json names it', async () => {
      const { host, home, session, env, run } = await start(() => ({}));
      const authfile = join(home, 'auth.json');
      writeFileSync(authfile, JSON.stringify({ credHelpers: { [host]: 'regi' } }));
      for (const tool of ['skopeo', 'podman'] as const) {
        const done = await run(
          tool,
          [
            'login',
            '--tls-verify=false',
            `--authfile=${authfile}`,
            '-u',
            USER,
            '--password-stdin',
            host,
          ],
          PASSWORD,
        );
        expect(done, done.stderr).toMatchObject({ status: 0 });
        expect(await session.search()).toContain(PASSWORD);
        expect(
          await runRegi(['digest', '--authfile', authfile, `${host}/absent:1`], { env }),
        ).toMatchObject({ status: 3 });
        expect(await run(tool, ['logout', `--authfile=${authfile}`, host])).toMatchObject({
          status: 0,
        });
        expect(await session.search()).not.toContain(PASSWORD);
      }
    });

    test('does not come back to itself as the credsStore of docker', async () => {
      const { host, env, session } = await start(() => ({ credsStore: 'regi' }));
      expect(await read(host, env)).toMatchObject({ status: 4 });
      expect(
        await runRegi(['login', '-u', USER, '--password-stdin', host], { env, input: PASSWORD }),
      ).toMatchObject({ status: 0 });
      expect(await read(host, env)).toMatchObject({ status: 3 });
      expect((await runRegi(['auth', 'list'], { env })).stdout).toMatch(
        new RegExp(`^${host} +${USER} +docker-credential-regi +yes`, 'm'),
      );
      expect(await runRegi(['logout', host], { env })).toMatchObject({ status: 0 });
      expect(await read(host, env)).toMatchObject({ status: 4 });
      expect(await session.search()).not.toContain(PASSWORD);
    });

    test('reports a locked keyring without waiting for its prompt', async () => {
      const { home, session, env } = await start(() => ({}));
      const login = `{"ServerURL":"a.example","Username":"${USER}","Secret":"${PASSWORD}"}\n`;
      expect(
        await runProgram(process.execPath, [PROGRAM, 'store'], { env, input: login }),
      ).toMatchObject({ status: 0 });
      await session.stop();
      const locked = await startDesktopSession({ home, keyring: 'locked', prompt: 'hangs' });
      const begin = performance.now();
      const asked = await runProgram(process.execPath, [PROGRAM, 'get'], {
        env: locked.env,
        input: 'a.example',
      });
      expect(performance.now() - begin).toBeLessThan(PROMPT_MS / 2);
      expect(asked).toMatchObject({
        status: 1,
        stdout: expect.stringContaining('Cannot use the keychain: it did not respond within 3.5 s'),
      });
    });
  },
);
