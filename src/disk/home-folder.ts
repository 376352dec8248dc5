import { accessSync, constants, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';

import { errnoOf, NO_HOME } from './errno.ts';

/** The files below a home that regi reads when neither a flag nor a variable names one. */
const USER_FILES = [
  '.docker/config.json',
  '.dockercfg',
  '.config/regi/config.yaml',
  '.config/containers/auth.json',
  '.config/containers/registries.conf',
  '.config/containers/registries.conf.d',
];

/** A home folder, and what of it cannot be read. */
export interface Home {
  /** Absolute; `NO_HOME` when there is none to use. */
  readonly path: string;
  /** A path in another user's home that cannot be read, so that nothing of that home is used. */
  readonly unreadable?: string | undefined;
}

/**
 * Finds the home folder as the system knows it. Never throws: a container may run as a user without
 * a passwd entry.
 *
 * @param uid the user; undefined on Windows.
 */
export function findHome(uid: number | undefined): Home {
  const path = [homedir, () => userInfo().homedir].map(orEmpty).find(isAbsolute);
  return path === undefined ? { path: NO_HOME } : usableHome(path, uid);
}

function orEmpty(find: () => string): string {
  try {
    return find();
  } catch {
    return '';
  }
}

/**
 * Returns a home folder, or `NO_HOME` in its place if it belongs to another user and its files
 * cannot be read. `sudo` and `docker run --user` leave such a home in the environment.
 *
 * @param uid the user; undefined on Windows, where a home is always the user's own.
 */
export function usableHome(path: string, uid: number | undefined): Home {
  if (uid === undefined || ownerOf(path) === uid) return { path };
  const unreadable = ['', ...USER_FILES].map((name) => join(path, name)).find(isForbidden);
  return unreadable === undefined ? { path } : { path: NO_HOME, unreadable };
}

function ownerOf(path: string): number | undefined {
  try {
    return statSync(path).uid;
  } catch {
    return undefined;
  }
}

function isForbidden(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return false;
  } catch (error) {
    return ['EACCES', 'EPERM'].includes(errnoOf(error) ?? '');
  }
}
