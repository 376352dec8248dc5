import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterFile } from '../cleanup.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { startDaemon } from './daemon.ts';
import { type PeerClient, peerClient, peerEnvironment, requirePeer } from './peers.ts';
import type { PeerSet } from './peer-path.ts';

export interface Containerd {
  readonly socket: string;
  /** `ctr` on this daemon, in a namespace of the test. */
  readonly ctr: PeerClient;
  readonly stop: () => Promise<void>;
}

/** Plugins that need a kernel feature, a device or a network, and that no image operation uses. */
const DISABLED_PLUGINS = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.cri.v1.images',
  'io.containerd.cri.v1.runtime',
  'io.containerd.internal.v1.opt',
  'io.containerd.nri.v1.nri',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
];

/** Starts an empty containerd on a socket of its own. Needs root. It ends with the test file. */
export async function startContainerd(set: PeerSet): Promise<Containerd> {
  const folder = temporaryFolder('containerd');
  const socket = join(folder, 'containerd.sock');
  const config = join(folder, 'config.toml');
  writeFileSync(
    config,
    `version = 2
root = "${join(folder, 'root')}"
state = "${join(folder, 'state')}"
disabled_plugins = ${JSON.stringify(DISABLED_PLUGINS)}
[grpc]
address = "${socket}"
`,
  );
  const daemon = await startDaemon(
    requirePeer(set, 'containerd'),
    ['--config', config],
    socket,
    peerEnvironment(set),
  );
  afterFile(daemon.stop);
  return {
    socket,
    stop: daemon.stop,
    ctr: peerClient(set, 'ctr', ['--address', socket, '--namespace', 'regi-test']),
  };
}
