import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { requireTool, type Tool } from './real-tools.ts';
import { runOrThrow } from './run-program.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** podman and buildah on one storage of their own; each returns its standard output. */
export interface Engine {
  podman(...args: readonly string[]): Promise<string>;
  buildah(...args: readonly string[]): Promise<string>;
}

/** Creates an empty engine that ignores the configuration of this machine. */
export function createEngine(): Engine {
  const folder = temporaryFolder('engine');
  const home = temporaryFolder('home');
  mkdirSync(join(home, '.config', 'containers'), { recursive: true });
  // Images are unsigned here, and a machine without a policy refuses them.
  writeFileSync(
    join(home, '.config', 'containers', 'policy.json'),
    '{"default":[{"type":"insecureAcceptAnything"}]}',
  );
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    XDG_RUNTIME_DIR: home,
    TMPDIR: home,
    BUILDAH_ISOLATION: 'chroot',
  };
  const storage = [
    '--storage-driver',
    'vfs',
    '--root',
    join(folder, 'root'),
    '--runroot',
    join(folder, 'runroot'),
  ];
  const run = async (tool: Tool, args: readonly string[]): Promise<string> =>
    (await runOrThrow(requireTool(tool), [...storage, ...args], { env })).trim();
  return { podman: (...args) => run('podman', args), buildah: (...args) => run('buildah', args) };
}
