import { constants, type Stats } from 'node:fs';
import { lstat, open } from 'node:fs/promises';

import { LimitExceededError } from '../bytes.ts';
import { RegiError } from '../errors.ts';
import { quotePath } from '../quote.ts';
import { errnoOf, guarded, ifPresent } from './errno.ts';
import { fileOf, type OpenFile } from './random-access.ts';

/** Windows has none of these flags; there `lstat` alone stands guard. */
const OPEN_FLAGS = constants.O_RDONLY + (constants.O_NOFOLLOW ?? 0) + (constants.O_NONBLOCK ?? 0);

/**
 * Opens a plain file to read; undefined when it is missing. Follows no symbolic link and opens no
 * pipe or device, even when one takes the file's place between the check and the opening.
 *
 * @throws {RegiError} REFUSED when it is no plain file.
 */
export async function openRegular(path: string): Promise<OpenFile | undefined> {
  if ((await statRegular(path)) === undefined) return undefined;
  const opening = open(path, OPEN_FLAGS).catch((error: unknown) => {
    throw errnoOf(error) === 'ELOOP' ? unsafeFileError(path, 'file', 'a symbolic link') : error;
  });
  const file = await ifPresent('read', path, opening);
  if (file === undefined) return undefined;
  try {
    const stats = await guarded('read', path, file.stat());
    assertFile(path, stats);
    return fileOf(file, path, stats.size);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Returns the stats of a plain file; undefined when it is missing.
 *
 * @throws {RegiError} REFUSED when it is no plain file.
 */
export async function statRegular(path: string): Promise<Stats | undefined> {
  const found = await ifPresent('read', path, lstat(path));
  if (found !== undefined) assertFile(path, found);
  return found;
}

/**
 * Returns whether a folder exists that is not a link to one.
 *
 * @throws {RegiError} REFUSED when it is no folder.
 */
export async function isFolder(path: string): Promise<boolean> {
  const found = await ifPresent('read', path, lstat(path));
  if (found !== undefined && !found.isDirectory())
    throw unsafeFileError(path, 'folder', kindOf(found));
  return found !== undefined;
}

/**
 * Reads a small plain file; undefined when it is missing.
 *
 * @throws {LimitExceededError} when it has more than `limit` bytes.
 * @throws {RegiError} REFUSED when it is no plain file.
 */
export async function readRegular(path: string, limit: number): Promise<Uint8Array | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  try {
    if (file.size > limit)
      throw new LimitExceededError(
        `Cannot read ${quotePath(path)}: expected at most ${limit} bytes, found ${file.size}`,
      );
    const buffer = new Uint8Array(file.size);
    return buffer.subarray(0, await file.read(buffer, 0));
  } finally {
    await file.close();
  }
}

/**
 * A link, pipe or device in place of content: following it could read any file of the machine, or
 * hang.
 */
function unsafeFileError(path: string, wanted: 'file' | 'folder', found: string): RegiError {
  return new RegiError(
    'REFUSED',
    `Cannot use ${quotePath(path)}: expected a plain ${wanted}, found ${found}`,
    { hint: `replace it by the ${wanted} itself, or copy the images again from their source` },
  );
}

function assertFile(path: string, found: Stats): void {
  if (!found.isFile()) throw unsafeFileError(path, 'file', kindOf(found));
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'a symbolic link';
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a named pipe';
  if (found.isSocket()) return 'a socket';
  if (found.isFile()) return 'a file';
  return 'a device';
}
