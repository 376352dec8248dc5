import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { errnoOf } from './errno.ts';

export interface MakeFolderOptions {
  readonly mode?: number | undefined;
}

/**
 * Makes a folder, and those above it that are missing. Not `recursive` of mkdir: that tries for ever, and nothing ends it, where the system
 * says of a folder whose parent is there that it cannot be (ENOENT), as /proc does.
 *
 * @param path absolute.
 * @returns the topmost folder that was made; undefined when all were there.
 * @throws what the system says.
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

/** Systems differ in what they say of a folder that is there, and of a root. */
async function makeOne(path: string, mode: number | undefined): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (error) {
    if (await isFolder(path)) return undefined;
    throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // What stood in the way of making it is the error to tell.
    return false;
  }
}
