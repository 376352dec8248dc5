import { constants, type Stats } from 'node:fs';
import { lstat, open, type FileHandle } from 'node:fs/promises';

import { LimitExceededError } from '../bytes.ts';
import { RegiError } from '../errors.ts';
import { guarded, ifPresent, StorageError } from './errno.ts';

/** A link, pipe or device where content must be: following it could read any file of the machine, or hang. */
class UnsafeFileError extends RegiError {
  readonly path: string;

  constructor(path: string, wanted: 'file' | 'folder', found: string) {
    super(
      'REFUSED',
      `Cannot use ${JSON.stringify(path)}: expected a plain ${wanted}, found ${found}`,
      {
        hint: `replace it by the ${wanted} itself, or copy the images again from where they came`,
      },
    );
    this.path = path;
  }
}

/** Windows has none of these flags; there `lstat` alone stands guard. */
const OPEN_FLAGS = constants.O_RDONLY + (constants.O_NOFOLLOW ?? 0) + (constants.O_NONBLOCK ?? 0);

/**
 * Opens a plain file to read. Neither a symbolic link is followed nor a pipe or device opened, also when it takes the file's
 * place between the look and the opening.
 *
 * @throws {UnsafeFileError} when something else is there. Undefined when nothing is.
 */
export async function openRegular(path: string): Promise<FileHandle | undefined> {
  if ((await statRegular(path)) === undefined) return undefined;
  const file = await openUnfollowed(path);
  if (file === undefined) return undefined;
  try {
    assertFile(path, await guarded('read', path, file.stat()));
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Looks at a plain file.
 *
 * @throws {UnsafeFileError} when something else is there. Undefined when nothing is.
 */
export async function statRegular(path: string): Promise<Stats | undefined> {
  const found = await ifPresent('read', path, lstat(path));
  if (found !== undefined) assertFile(path, found);
  return found;
}

/**
 * Whether there is a folder that is not a link to one.
 *
 * @throws {UnsafeFileError} when something else is there.
 */
export async function isFolder(path: string): Promise<boolean> {
  const found = await ifPresent('read', path, lstat(path));
  if (found !== undefined && !found.isDirectory())
    throw new UnsafeFileError(path, 'folder', kindOf(found));
  return found !== undefined;
}

/**
 * Reads a small plain file.
 *
 * @throws {LimitExceededError} when it is over `limit` bytes.
 * @throws {UnsafeFileError} when something else is there. Undefined when nothing is.
 */
export async function readRegular(path: string, limit: number): Promise<Uint8Array | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  try {
    const { size } = await guarded('read', path, file.stat());
    if (size > limit)
      throw new LimitExceededError(
        `Cannot read ${JSON.stringify(path)}: expected at most ${limit} bytes, found ${size}`,
      );
    const buffer = new Uint8Array(size);
    return buffer.subarray(0, await fill(file, path, buffer, 0));
  } finally {
    await file.close();
  }
}

/** Reads from `position` on until `buffer` is full or the file ends, and says how many bytes that were. `path` is for messages. */
export async function fill(
  file: FileHandle,
  path: string,
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  let used = 0;
  while (used < buffer.byteLength) {
    const { bytesRead } = await guarded(
      'read',
      path,
      file.read(buffer, used, buffer.byteLength - used, position + used),
    );
    if (bytesRead === 0) break;
    used += bytesRead;
  }
  return used;
}

async function openUnfollowed(path: string): Promise<FileHandle | undefined> {
  try {
    return await ifPresent('read', path, open(path, OPEN_FLAGS));
  } catch (error) {
    if (error instanceof StorageError && error.errno === 'ELOOP')
      throw new UnsafeFileError(path, 'file', 'a symbolic link');
    throw error;
  }
}

function assertFile(path: string, found: Stats): void {
  if (!found.isFile()) throw new UnsafeFileError(path, 'file', kindOf(found));
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'a symbolic link';
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a named pipe';
  if (found.isSocket()) return 'a socket';
  if (found.isFile()) return 'a file';
  return 'a device';
}
