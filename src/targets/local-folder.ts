import { isAbsolute, join, resolve } from 'node:path';

import type { Io } from '../io.ts';

/**
 * The folder of the local store, absolute: `REGI_DATA`, else where the system keeps the data of programs.
 *
 * @see https://specifications.freedesktop.org/basedir-spec/0.8/
 */
export function localStoreFolder({
  env,
  home,
  cwd,
  host,
}: Pick<Io, 'env' | 'home' | 'cwd' | 'host'>): string {
  const given = env['REGI_DATA'] ?? '';
  if (given !== '') return resolve(cwd, given);
  switch (host.os) {
    case 'darwin':
      return join(home, 'Library', 'Application Support', 'regi');
    case 'windows':
      return join(absoluteOr(env['LOCALAPPDATA'], join(home, 'AppData', 'Local')), 'regi');
    default:
      return join(absoluteOr(env['XDG_DATA_HOME'], join(home, '.local', 'share')), 'regi');
  }
}

/** The folder of what regi remembers from one run to the next, absolute: `$XDG_STATE_HOME/regi`, else where the system keeps such things. */
export function stateFolder({ env, home, host }: Pick<Io, 'env' | 'home' | 'host'>): string {
  switch (host.os) {
    case 'darwin':
      return join(home, 'Library', 'Application Support', 'regi', 'state');
    case 'windows':
      return join(absoluteOr(env['LOCALAPPDATA'], join(home, 'AppData', 'Local')), 'regi', 'state');
    default:
      return join(absoluteOr(env['XDG_STATE_HOME'], join(home, '.local', 'state')), 'regi');
  }
}

/** A relative path there is to be ignored. */
function absoluteOr(path: string | undefined, fallback: string): string {
  return path !== undefined && isAbsolute(path) ? path : fallback;
}
