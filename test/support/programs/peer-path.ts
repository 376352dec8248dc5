import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where a peer comes from: `system` is the Debian release of this machine, which CI requires; `sid`
 * is Debian's newest, a second opinion that may be missing.
 */
export type PeerSet = 'system' | 'sid';

export type PeerProgram =
  | 'containerd'
  | 'cosign'
  | 'crane'
  | 'ctr'
  | 'docker'
  | 'dockerd'
  | 'oras'
  | 'skopeo'
  | 'umoci';

/** The folder that `scripts/test-peers.sh` fills. */
export const PEERS_FOLDER =
  process.env['REGI_TEST_PEERS'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'regi-test', 'peers');

/** The program of a set, whether or not it is installed. */
export function peerPath(set: PeerSet, program: PeerProgram): string {
  return join(PEERS_FOLDER, set, 'bin', program);
}
