import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterFile } from '../cleanup.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { startContainerd } from './containerd.ts';
import { startDaemon } from './daemon.ts';
import { type PeerClient, peerClient, peerEnvironment, requirePeer } from './peers.ts';
import type { PeerSet } from './peer-path.ts';

export interface DockerOptions {
  /**
   * `containerd` keeps manifests and digests as they came, and needs docker 24 or newer; `classic`
   * is the default of older ones.
   */
  readonly store?: 'classic' | 'containerd';
}

/**
 * Starts an empty docker daemon on a socket of its own, for `load`, `save`, `push`, `pull` and
 * `images`: it has no network and runs no container. Registries on loopback may use plain http.
 * Needs root. It ends with the test file.
 *
 * @returns `docker` on this daemon.
 */
export async function startDocker(
  set: PeerSet,
  { store = 'classic' }: DockerOptions = {},
): Promise<PeerClient> {
  const containerd = await startContainerd(set);
  const folder = temporaryFolder('docker');
  const socket = join(folder, 'docker.sock');
  const config = join(folder, 'daemon.json');
  writeFileSync(
    config,
    JSON.stringify(store === 'containerd' ? { features: { 'containerd-snapshotter': true } } : {}),
  );
  const daemon = await startDaemon(
    requirePeer(set, 'dockerd'),
    [
      `--config-file=${config}`,
      `--host=unix://${socket}`,
      `--pidfile=${join(folder, 'pid')}`,
      `--data-root=${join(folder, 'data')}`,
      `--exec-root=${join(folder, 'exec')}`,
      `--containerd=${containerd.socket}`,
      '--containerd-namespace=regi-test',
      '--containerd-plugins-namespace=regi-test-plugins',
      '--bridge=none',
      '--iptables=false',
      '--ip-forward=false',
      '--ip-masq=false',
      `--storage-driver=${store === 'containerd' ? 'native' : 'vfs'}`,
    ],
    socket,
    peerEnvironment(set),
  );
  afterFile(daemon.stop);
  return peerClient(set, 'docker', ['--host', `unix://${socket}`]);
}
