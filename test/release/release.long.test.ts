import { readFileSync, statSync, readdirSync, mkdirSync, writeFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { startDesktopSession } from '../support/cli/desktop-session.ts';
import { startDocker } from '../support/programs/docker.ts';
import { describePeer } from '../support/programs/peers.ts';
import { createEngine } from '../support/programs/podman.ts';
import { describeReal, isPrivileged, requireTool } from '../support/programs/real-tools.ts';
import { runOrThrow, runProgram } from '../support/programs/run-program.ts';
import { startDockerRegistry } from '../support/registries/docker-registry.ts';
import { ROOT } from '../support/root.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Made by `npm run release`; .ci/run does that. */
const RELEASE = process.env['REGI_TEST_RELEASE'] ?? '';
/** A minimal Debian, which .ci/run makes with debootstrap. */
const ROOTFS = process.env['REGI_TEST_ROOTFS'] ?? '';
const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
};
const EXECUTABLES = ['regi-linux-x64', 'regi-linux-arm64'] as const;
const MEGABYTE = 1e6;

const missing = [
  ...(RELEASE === '' ? ['REGI_TEST_RELEASE, a folder made by npm run release'] : []),
  ...(ROOTFS === '' ? ['REGI_TEST_ROOTFS, a folder made by debootstrap'] : []),
  ...(isPrivileged ? [] : ['root']),
];
const note = missing.length === 0 ? '' : ` (missing here: ${missing.join('; ')})`;

describe(`a release${note}`, { skip: missing.length > 0 }, () => {
  test('SHA256SUMS has the hash of every file', async () => {
    const sums = readFileSync(join(RELEASE, 'SHA256SUMS'), 'utf8').trim().split('\n');
    const names = readdirSync(RELEASE, { recursive: true, encoding: 'utf8' });
    const files = names.filter((name) => statSync(join(RELEASE, name)).isFile());
    expect(sums.map((line) => line.slice(66)).sort()).toEqual(
      files.filter((name) => name !== 'SHA256SUMS').sort(),
    );
    await run('sha256sum', ['--check', '--quiet', '--strict', 'SHA256SUMS']);
  });

  test.each(EXECUTABLES)('%s has at most 115 MB, and 32 MB when compressed', async (name) => {
    expect(statSync(join(RELEASE, name)).size).toBeLessThan(115 * MEGABYTE);
    expect(statSync(join(RELEASE, `${name}.xz`)).size).toBeLessThan(32 * MEGABYTE);
    await run('sh', ['-c', 'xz --decompress --stdout "$1.xz" | cmp - "$1"', 'sh', name]);
  });

  test('regi --version --verbose lists what is inside an executable', async () => {
    expect(await run('./regi-linux-x64', ['--version', '--verbose'])).toMatch(
      new RegExp(
        `^regi +${VERSION}\ncommit +(?:[0-9a-f]{12}\\S*|unknown)\nnode +24\\.\\d+\\.\\d+\nplatform +linux-x64\nkeychain +yes\nzstd +yes\nsea +yes\n$`,
      ),
    );
  });

  describeReal('its Debian package', ['dpkg-deb', 'unshare'], () => {
    test('and its executable copy between two registries on a Debian without Node', async () => {
      const root = join(temporaryFolder('chroot'), 'root');
      await run('cp', ['--archive', ROOTFS, root]);
      mkdirSync(join(root, 'release'));
      for (const name of ['regi-linux-x64', `regi_${VERSION}_amd64.deb`])
        cpSync(join(RELEASE, name), join(root, 'release', name));
      writeFileSync(join(root, 'release', 'copy.sh'), COPY);
      const output = await run('unshare', [
        '--net',
        '--pid',
        '--fork',
        '--kill-child',
        'sh',
        '-c',
        'ip link set lo up && exec chroot "$0" sh /release/copy.sh',
        root,
      ]);
      expect(output).toBe(
        `no node\n${COPIED}${COPIED}/usr/share/bash-completion/completions/regi\n/usr/share/man/man1/regi.1.gz\n`.replaceAll(
          'VERSION',
          VERSION,
        ),
      );
    });
  });

  describeReal('its image', ['podman'], () => {
    test('is loaded by podman, and runs as a user who is not root', async () => {
      const engine = createEngine();
      const name = `localhost/regi:${VERSION}`;
      await engine.podman('load', '--input', join(RELEASE, `regi-${VERSION}-image.tar`));
      // Not `podman run`: many containers forbid it.
      const container = await engine.podman('create', '--network=none', name);
      const root = await engine.podman('mount', container);
      const details = ['--userspec=1000:1000', root, '/usr/bin/regi', '--version', '--verbose'];
      expect(await run('chroot', details)).toMatch(new RegExp(`^regi +${VERSION}$`, 'm'));
      await engine.podman('umount', container);
      const [inspected] = JSON.parse(await engine.podman('image', 'inspect', name)) as [
        { readonly User: string; readonly Labels: Readonly<Record<string, string>> },
      ];
      expect(inspected.User).toBe('1000:1000');
      expect(inspected.Labels['org.opencontainers.image.version']).toBe(VERSION);
    });

    test('has two platforms, and regi finds every byte of it', async () => {
      const layout = `oci:${RELEASE}/regi-${VERSION}-image:${VERSION}`;
      await run('./regi-linux-x64', ['verify', '--deep', layout]);
      const { manifests } = JSON.parse(
        await run('./regi-linux-x64', ['manifest', 'get', layout]),
      ) as { readonly manifests: readonly { readonly platform: object }[] };
      expect(manifests.map(({ platform }) => platform)).toEqual([
        { architecture: 'amd64', os: 'linux' },
        { architecture: 'arm64', os: 'linux' },
      ]);
    });
  });

  describeReal('its executable for arm64', ['qemu-aarch64'], () => {
    test('runs', async () => {
      const args = ['-L', '/usr/aarch64-linux-gnu', './regi-linux-arm64', '--version', '-v'];
      expect(await run(requireTool('qemu-aarch64'), args)).toMatch(/^platform +linux-arm64$/m);
    });
  });

  describe.each([
    { set: 'system', store: 'classic' },
    { set: 'sid', store: 'classic' },
    { set: 'sid', store: 'containerd' },
  ] as const)('its image in the $store store', ({ set, store }) => {
    describePeer(
      'docker',
      set,
      ['docker', 'dockerd', 'containerd', 'ctr'],
      () => {
        test('is loaded under its name, with its user and entrypoint', async () => {
          const docker = await startDocker(set, { store });
          const name = `localhost/regi:${VERSION}`;
          const archive = join(RELEASE, `regi-${VERSION}-image.tar`);
          expect(await docker.run('load', '--input', archive)).toBe(`Loaded image: ${name}`);
          const format = '{{.Os}}/{{.Architecture}} {{.Config.User}} {{.Config.Entrypoint}}';
          expect(await docker.run('image', 'inspect', '--format', format, name)).toBe(
            'linux/amd64 1000:1000 [/usr/bin/regi]',
          );
        });
      },
      { daemon: true },
    );
  });

  describeReal('its npm package', ['unshare', 'docker-registry'], () => {
    test('is installed without a network and a cache, and then says why a login is in a file', async () => {
      const prefix = temporaryFolder('prefix');
      const env = { npm_config_prefix: prefix, npm_config_cache: temporaryFolder('cache') };
      const file = join(RELEASE, `regi-${VERSION}.tgz`);
      // Without the flag, npm tries for two minutes to fetch the addon for the keychain.
      await run('unshare', ['--net', 'npm', 'install', '--global', '--offline', file], env);
      const regi = join(prefix, 'bin', 'regi');
      expect(await run(regi, ['--version', '--verbose'])).toMatch(/^keychain +no$/m);
      const { host } = await startDockerRegistry({ htpasswd: LOGIN });
      const bus = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' };
      const { status, stderr } = await login(regi, host, { HOME: temporaryFolder('home'), ...bus });
      expect(status).toBe(0);
      expect(stderr).toContain('the keychain cannot be used: its addon is not installed');
    });
  });

  describeReal(
    'its executable',
    ['docker-registry', 'dbus-daemon', 'gnome-keyring-daemon', 'secret-tool'],
    () => {
      test('stores a login in the keychain, and leaves no file of the addon', async () => {
        const { host } = await startDockerRegistry({ htpasswd: LOGIN });
        const [home, temporary] = [temporaryFolder('home'), temporaryFolder('tmp')];
        const session = await startDesktopSession({ home, keyring: 'unlocked' });
        const env = { ...session.env, TMPDIR: temporary };
        const { stderr } = await login(join(RELEASE, 'regi-linux-x64'), host, env);
        expect(stderr).toContain('Stored the login of ci in the keychain');
        expect(await session.search()).toContain(LOGIN.password);
        expect(readdirSync(temporary)).toEqual([]);
      });
    },
  );
});

const LOGIN = { user: 'ci', password: 'release-canary' };

/** The smallest image, copied by the executable and then by the installed package. */
const MANIFEST =
  '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}';
const COPIED = 'VERSION\ncopied\n';

/** Run in the chroot, whose only programs are those of a minimal Debian. */
const COPY = `
set -eu
cd /root
command -v node || echo 'no node'
printf '{}' >config.json
printf '%s' '${MANIFEST}' >manifest.json
digest=sha256:$(sha256sum manifest.json | cut -d ' ' -f 1)
copy() {
  "$1" --version
  "$1" serve --memory --listen 127.0.0.1:5051 2>from.log & from=$!
  "$1" serve --memory --listen 127.0.0.1:5052 2>to.log & to=$!
  until grep -q listening from.log && grep -q listening to.log; do sleep 0.1; done
  "$1" -q blob put 127.0.0.1:5051/app config.json >put.log
  "$1" -q manifest put 127.0.0.1:5051/app:1 manifest.json >put.log
  "$1" -q copy 127.0.0.1:5051/app:1 127.0.0.1:5052/app:1 | sed "s/.*@$digest$/copied/"
  kill $from $to
  wait $from $to || true
}
copy /release/regi-linux-x64
dpkg --install /release/*.deb >/dev/null
copy regi
dpkg --listfiles regi | grep -E 'man1/regi|completions/regi$' | sort
docker-credential-regi version >/dev/null
`;

/** Runs a program in the folder of the release. */
function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const home = { PATH: process.env['PATH'] ?? '', HOME: temporaryFolder('home') };
  return runOrThrow(program, args, { env: { ...home, ...env }, cwd: RELEASE });
}

function login(regi: string, host: string, env: Readonly<Record<string, string>>) {
  return runProgram(regi, ['login', '-u', LOGIN.user, '--password-stdin', host], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    input: LOGIN.password,
  });
}
