import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

import { describe, expect, test } from 'vitest';

/** Maps each program of the tests to its Debian package. */
const PACKAGES = {
  'docker-registry': 'docker-registry',
  skopeo: 'skopeo',
  unshare: 'util-linux',
  faketime: 'faketime',
  ip: 'iproute2',
  podman: 'podman',
  buildah: 'buildah',
  umoci: 'umoci',
  tar: 'tar',
  xz: 'xz-utils',
  bzip2: 'bzip2',
  python3: 'python3',
  nginx: 'nginx-light',
  squid: 'squid',
  htpasswd: 'apache2-utils',
  gpg: 'gpg',
  gpgv: 'gpgv',
  'gnome-keyring-daemon': 'gnome-keyring',
  'dbus-daemon': 'dbus-daemon',
  'dbus-launch': 'dbus-x11',
  'secret-tool': 'libsecret-tools',
  openssl: 'openssl',
  tmux: 'tmux',
  bash: 'bash',
  zsh: 'zsh',
  fish: 'fish',
  setpriv: 'util-linux',
  parallel: 'parallel',
  munged: 'munge',
  sbatch: 'slurm-client',
  slurmctld: 'slurmctld',
  slurmd: 'slurmd',
  'dpkg-deb': 'dpkg',
  'qemu-aarch64': 'qemu-user',
} as const satisfies Record<string, string>;

export type Tool = keyof typeof PACKAGES;

/** Folders of daemons, which are not in the PATH of an ordinary user. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Returns the full path of a program, or undefined when it is not installed. */
export function findTool(name: Tool): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * True if a test may mount in its own namespace and listen below port 1024: as root, and not in
 * every container.
 */
export const isPrivileged =
  process.getuid?.() === 0 &&
  spawnSync(findTool('unshare') ?? 'false', ['-m', 'true']).status === 0;

export function hasTool(name: Tool): boolean {
  return findTool(name) !== undefined;
}

/**
 * Returns the full path of a program that a test requires.
 *
 * @throws {Error} when it is not installed.
 */
export function requireTool(name: Tool): string {
  const path = findTool(name);
  if (path === undefined)
    throw new Error(`Cannot find program "${name}": install Debian's package "${PACKAGES[name]}"`);
  return path;
}

/**
 * A `describe` for tests of real programs. When one is missing, the title names it and the tests
 * are skipped; with REGI_REQUIRE_SERVERS=1 (.ci/run) they fail, because a suite that silently skips
 * proves nothing.
 */
export function describeReal(title: string, tools: readonly Tool[], body: () => void): void {
  const missing = tools.filter((tool) => !hasTool(tool));
  const isRequired = process.env['REGI_REQUIRE_SERVERS'] === '1';
  const note = missing.length === 0 ? '' : ` (missing here: ${missing.join(', ')})`;
  describe(`${title}${note}`, { skip: missing.length > 0 && !isRequired }, () =>
    missing.length > 0 && isRequired ? failFor(missing) : body(),
  );
}

function failFor(missing: readonly Tool[]): void {
  test.each(missing)('needs the program %s', (tool) => {
    expect(() => requireTool(tool)).not.toThrow();
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
