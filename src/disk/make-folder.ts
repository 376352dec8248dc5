import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { errnoOf } from './errno.ts';

export interface MakeFolderOptions {
  readonly mode?: number | undefined;
}

/**
 * Makes a folder, and missing ones above it. Not `recursive` of mkdir: that never ends where the
 * system reports ENOENT for a folder whose parent exists, as /proc does.
 *
 * @param path absolute.
 * @returns the topmost folder that was made; undefined when all existed.
 * @throws the system error.
 */
export async function makeFolder(
  path: string,
  { mode }: MakeFolderOptions = {},
): Promise<string | undefined> {
  try {
    return await makeOne(path, mode);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
  }
  const above = await makeFolder(dirname(path), { mode });
  const made = await makeOne(path, mode);
  return above ?? made;
}

/** Systems report different errors for an existing folder, and for a root. */
async function makeOne(path: string, mode: number | undefined): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    // The first error says why the folder cannot be made.
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() === true) return undefined;
    throw error;
  }
}
