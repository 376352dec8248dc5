import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect, test } from 'vitest';

import { startDockerRegistry } from '../../support/registries/docker-registry.ts';
import { describeReal, requireTool, type Tool } from '../../support/programs/real-tools.ts';
import { runRegi } from '../../support/cli/regi.ts';
import { runProgram, type Finished } from '../../support/programs/run-program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { tinyLayout } from '../../support/images/tiny-layout.ts';

const USER = 'ci';
const PASSWORD = 'correct-horse-canary';
const AUTH = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');

/**
 * A registry that wants a login and has `app:1` and `team/app:1`, and somebody at home on a machine
 * where nothing is configured.
 */
async function start(files: (host: string) => Readonly<Record<string, unknown>> = () => ({})) {
  const { host } = await startDockerRegistry({ htpasswd: { user: USER, password: PASSWORD } });
  for (const name of ['app', 'team/app']) {
    const given = { REGI_REGISTRY: host, REGI_USERNAME: USER, REGI_PASSWORD: PASSWORD };
    expect(
      await runRegi(['copy', tinyLayout(name), `${host}/${name}:1`], { env: given }),
    ).toMatchObject({ status: 0 });
  }
  const home = temporaryFolder('home');
  const bin = temporaryFolder('bin');
  writeFileSync(join(bin, 'docker-credential-drawer'), HELPER, { mode: 0o755 });
  const env = {
    HOME: home,
    XDG_RUNTIME_DIR: join(home, 'run'),
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
  };
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 });
  for (const [path, content] of Object.entries(files(host))) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    // As docker writes it.
    writeFileSync(join(home, path), JSON.stringify(content, undefined, '\t'), { mode: 0o600 });
  }
  const peer = (tool: Tool, ...args: readonly string[]): Promise<Finished> =>
    runProgram(requireTool(tool), args, { env });
  return {
    host,
    home,
    env,
    bin,
    regi: (...args: readonly string[]) => runRegi(args, { env }),
    /** The exit statuses of the tools that read an image with the login they find. */
    readers: async (name = 'app') => ({
      regi: (await runRegi(['digest', `${host}/${name}:1`], { env })).status,
      skopeo: (
        await peer(
          'skopeo',
          '--insecure-policy',
          'inspect',
          '--raw',
          '--tls-verify=false',
          `docker://${host}/${name}:1`,
        )
      ).status,
      podman: (await peer('podman', 'login', '--get-login', host)).status,
    }),
    login: (tool: 'podman' | 'skopeo', where = host) =>
      runProgram(
        requireTool(tool),
        ['login', '--tls-verify=false', '-u', USER, '--password-stdin', where],
        { env, input: PASSWORD },
      ),
    regiLogin: (...flags: readonly string[]) =>
      runRegi(['login', '-u', USER, '--password-stdin', ...flags, host], { env, input: PASSWORD }),
    peer,
  };
}

const ALL = { regi: 0, skopeo: 0, podman: 0 };

describeReal(
  'logins of docker, podman, skopeo and regi',
  ['docker-registry', 'podman', 'skopeo'],
  () => {
    test('a plain login of docker is read by all', async () => {
      const { host, readers, regi } = await start((name) => ({
        '.docker/config.json': { auths: { [name]: { auth: AUTH } }, currentContext: 'x' },
      }));
      expect(await readers()).toEqual(ALL);
      expect(await regi('auth', 'list')).toMatchObject({
        stdout: expect.stringContaining(`${host}   ci     ~/.docker/config.json   yes`),
      });
    });

    test('a login that docker stored in a helper for one host is read by all', async () => {
      const { host, bin, readers } = await start((name) => ({
        '.docker/config.json': { auths: { [name]: {} }, credHelpers: { [name]: 'drawer' } },
      }));
      expect(await readers()).toMatchObject({ regi: 4 });
      writeFileSync(
        join(bin, 'docker-credential-drawer.login'),
        JSON.stringify({ ServerURL: host, Username: USER, Secret: PASSWORD }),
      );
      expect(await readers()).toEqual(ALL);
    });

    test('a login in the credsStore of docker is read by regi, and not by tools that do not know credsStore', async () => {
      const { host, bin, regi } = await start((name) => ({
        '.docker/config.json': { auths: { [name]: {} }, credsStore: 'drawer' },
      }));
      writeFileSync(
        join(bin, 'docker-credential-drawer.login'),
        JSON.stringify({ ServerURL: host, Username: USER, Secret: PASSWORD }),
      );
      expect(await regi('digest', `${host}/app:1`)).toMatchObject({ status: 0 });
    });

    test.each(['podman', 'skopeo'] as const)(
      'a login of %s in its default file is read by all, and removed by regi logout',
      async (tool) => {
        const { login, readers, regi, host, home } = await start();
        expect(await login(tool)).toMatchObject({ status: 0 });
        expect(existsSync(join(home, '.docker', 'config.json'))).toBe(false);
        expect(await readers()).toEqual(ALL);
        expect(await regi('logout', host)).toMatchObject({
          status: 0,
          stdout: expect.stringContaining('containers/auth.json'),
        });
        expect(await readers()).toEqual({ regi: 4, skopeo: 1, podman: 125 });
      },
    );

    test('a login of podman for a namespace is read for that namespace only', async () => {
      const { login, regi, host } = await start();
      expect(await login('podman', `${host}/team`)).toMatchObject({ status: 0 });
      expect(await regi('digest', `${host}/team/app:1`)).toMatchObject({ status: 0 });
      expect(await regi('digest', `${host}/app:1`)).toMatchObject({ status: 4 });
      expect((await regi('auth', 'list')).stdout).toContain(`${host}/team`);
    });

    test('a login of regi in the docker configuration is read by all, and removed by podman logout', async () => {
      const { regiLogin, readers, peer, host, home } = await start();
      expect(await regiLogin()).toMatchObject({ status: 0 });
      expect(readFileSync(join(home, '.docker', 'config.json'), 'utf8')).toBe(
        `{\n\t"auths": {\n\t\t"${host}": {\n\t\t\t"auth": "${AUTH}"\n\t\t}\n\t}\n}`,
      );
      expect(await readers()).toEqual(ALL);
      expect(
        await peer('podman', 'logout', '--authfile', join(home, '.docker', 'config.json'), host),
      ).toMatchObject({ status: 0 });
      expect(await readers()).toMatchObject({ regi: 4 });
    });

    test('a login of regi in an auth.json is read by podman and skopeo', async () => {
      const { regiLogin, readers, home } = await start();
      expect(
        await regiLogin('--authfile', join(home, 'run', 'containers', 'auth.json')),
      ).toMatchObject({ status: 0 });
      expect(await readers()).toEqual(ALL);
    });

    test('a login of regi in a helper is read by all, and is in no file', async () => {
      const { regiLogin, readers, host, home, bin } = await start((name) => ({
        '.docker/config.json': { credHelpers: { [name]: 'drawer' } },
      }));
      expect(await regiLogin()).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('in docker-credential-drawer'),
      });
      expect(await readers()).toEqual(ALL);
      expect(readFileSync(join(bin, 'docker-credential-drawer.login'), 'utf8')).toContain(
        `"ServerURL":"${host}"`,
      );
      expect(readFileSync(join(home, '.docker', 'config.json'), 'utf8')).not.toContain(AUTH);
    });

    test('C5: a login in a helper of registries.conf is read by all, and removed by regi logout', async () => {
      const { host, home, bin, readers, regi } = await start();
      mkdirSync(join(home, '.config', 'containers'), { recursive: true });
      writeFileSync(
        join(home, '.config', 'containers', 'registries.conf'),
        'credential-helpers = ["drawer", "containers-auth.json"]\n',
      );
      expect(await readers()).toEqual({ regi: 4, skopeo: 1, podman: 125 });
      writeFileSync(
        join(bin, 'docker-credential-drawer.login'),
        JSON.stringify({ ServerURL: host, Username: USER, Secret: PASSWORD }),
      );
      expect(await readers()).toEqual(ALL);
      expect((await regi('auth', 'list')).stdout).toMatch(
        new RegExp(`^${host} +ci +docker-credential-drawer +yes`, 'm'),
      );
      expect(await regi('logout', host)).toMatchObject({
        status: 0,
        stdout: `Removed the login for ${host} from docker-credential-drawer\n`,
      });
      expect(await readers()).toEqual({ regi: 4, skopeo: 1, podman: 125 });
    });

    test('several logins at the same time are all kept', async () => {
      const others = await Promise.all([start(), start(), start()]);
      const { env } = await start((name) => ({
        '.docker/config.json': { auths: { [name]: { auth: AUTH } }, detachKeys: 'ctrl-a' },
      }));
      const done = await Promise.all(
        others.map(({ host }) =>
          runRegi(['login', '-u', USER, '--password-stdin', host], { env, input: PASSWORD }),
        ),
      );
      expect(done.map(({ status }) => status)).toEqual([0, 0, 0]);
      const config = JSON.parse(readFileSync(join(env.HOME, '.docker', 'config.json'), 'utf8')) as {
        readonly auths: object;
        readonly detachKeys: string;
      };
      expect(Object.keys(config.auths)).toEqual(
        expect.arrayContaining(others.map(({ host }) => host)),
      );
      expect(Object.keys(config.auths)).toHaveLength(4);
      expect(config.detachKeys).toBe('ctrl-a');
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
