import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, test } from 'vitest';

import { temporaryFolder } from '../temporary-folder.ts';
import { type PeerProgram, peerPath, PEERS_FOLDER, type PeerSet } from './peer-path.ts';
import { isPrivileged } from './real-tools.ts';
import { type Finished, runOrThrow, runProgram } from './run-program.ts';

/**
 * A `describe` for tests of peers. Missing programs are named in the title, and the tests are
 * skipped. With REGI_REQUIRE_SERVERS=1, as in CI, a missing program of the `system` set is a
 * failure instead.
 *
 * @param options.daemon whether the tests start a daemon, which needs root: without root they are
 * skipped.
 */
export function describePeer(
  title: string,
  set: PeerSet,
  programs: readonly PeerProgram[],
  body: () => void,
  { daemon = false }: { readonly daemon?: boolean } = {},
): void {
  const missing = programs.filter((program) => !existsSync(peerPath(set, program)));
  const isRequired = set === 'system' && process.env['REGI_REQUIRE_SERVERS'] === '1';
  const note =
    missing.length === 0 ? '' : ` (missing here: ${missing.join(', ')}; run scripts/test-peers.sh)`;
  const isSkipped = missing.length > 0 ? !isRequired : daemon && !isPrivileged;
  describe(`${title} of ${set}${note}`, { skip: isSkipped }, () =>
    missing.length > 0 ? failFor(missing) : body(),
  );
}

function failFor(missing: readonly PeerProgram[]): void {
  test.each(missing)('needs the program %s', (program) => {
    throw new Error(`Cannot find "${program}": run scripts/test-peers.sh`);
  });
}

/**
 * A peer's command line with a home of its own, so that the configuration of this machine does not
 * count.
 */
export interface PeerClient {
  /**
   * @throws {Error} with the standard error of the peer when it fails. @returns standard output
   * without its last line break.
   */
  run(...args: readonly string[]): Promise<string>;
  /** Runs the peer to its end, whatever its exit status. */
  finish(...args: readonly string[]): Promise<Finished>;
}

/**
 * @param prefix arguments before all others, such as the address of a daemon. @param variables
 * added to its environment.
 */
export function peerClient(
  set: PeerSet,
  program: PeerProgram,
  prefix: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
): PeerClient {
  const path = peerPath(set, program);
  const env = { ...peerEnvironment(set), ...variables };
  return {
    run: async (...args) => (await runOrThrow(path, [...prefix, ...args], { env })).trimEnd(),
    finish: (...args) => runProgram(path, [...prefix, ...args], { env }),
  };
}

/**
 * The environment of peers: their own programs first in PATH, an empty home, a policy that accepts
 * unsigned images.
 */
export function peerEnvironment(set: PeerSet): Readonly<Record<string, string>> {
  const home = temporaryFolder('peer');
  mkdirSync(join(home, '.config', 'containers'), { recursive: true });
  writeFileSync(
    join(home, '.config', 'containers', 'policy.json'),
    '{"default":[{"type":"insecureAcceptAnything"}]}',
  );
  return {
    // runc of sid needs a newer C library, so all sets use that of the system.
    PATH: `${join(PEERS_FOLDER, set, 'bin')}:${join(PEERS_FOLDER, 'system', 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: home,
    TMPDIR: home,
  };
}

export function requirePeer(set: PeerSet, program: PeerProgram): string {
  const path = peerPath(set, program);
  if (!existsSync(path)) throw new Error(`Cannot find "${path}": run scripts/test-peers.sh`);
  return path;
}
