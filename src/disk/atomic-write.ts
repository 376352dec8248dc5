import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { bytesOf } from '../bytes.ts';
import type { Bytes, CallOptions } from '../store.ts';
import { BufferedWrites } from './buffered-writes.ts';
import { guarded, unlessErrno } from './errno.ts';
import { systemProcesses } from './processes.ts';
import { writeAt } from './random-access.ts';
import { TempFiles } from './temp-files.ts';

export interface AtomicWriteOptions extends CallOptions {
  /** Mode of the new file before the umask: readable for everybody when absent. */
  readonly mode?: number | undefined;
  /** Called with the new file when all bytes are in it, before it is synced. */
  readonly finish?: ((file: FileHandle) => Promise<void>) | undefined;
  /** Puts the new file in the place of the old one; `rename` when absent. */
  readonly replace?: ((temp: string, path: string) => Promise<void>) | undefined;
}

/**
 * Writes a file that appears under `path` only when it is whole and on the disk: a new file `temp`,
 * fsync, rename, fsync of the folder. `temp` is removed on failure.
 *
 * @throws {StorageError} when the disk refuses. An error of `content` is thrown as it is.
 */
export async function writeAtomically(
  path: string,
  temp: string,
  content: Bytes,
  { signal, mode = 0o666, finish, replace = rename }: AtomicWriteOptions = {},
): Promise<void> {
  const file = await guarded('write', path, open(temp, 'wx', mode));
  try {
    try {
      const writer = new FileWriter(file, path);
      for await (const chunk of content) await writer.write(chunk);
      await writer.flush();
      if (finish !== undefined) await guarded('write', path, finish(file));
      await guarded('write', path, file.sync());
    } finally {
      await file.close();
    }
    signal?.throwIfAborted();
    await guarded('write', path, replace(temp, path));
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Makes new, renamed and removed entries of a folder outlive a loss of power. */
export async function syncFolder(path: string): Promise<void> {
  const sync = async (): Promise<void> => {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  };
  // Windows opens no folders, and some network file systems sync none; they keep names in order
  // themselves.
  await unlessErrno(UNSYNCABLE, sync());
}

const UNSYNCABLE = ['EPERM', 'EACCES', 'EISDIR', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP'];

/** Writes a file from one position on, in large writes. */
export class FileWriter extends BufferedWrites {
  /**
   * @param path for messages.
   * @param start position of the first byte.
   */
  constructor(file: FileHandle, path: string, start = 0) {
    let position = start;
    super(async (bytes) => {
      await writeAt(file, path, bytes, position);
      position += bytes.byteLength;
    });
  }
}

/** Replaces a small file, whole or not at all. */
export async function replaceFile(
  path: string,
  content: Uint8Array,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const temps = new TempFiles(dirname(path), systemProcesses);
  await writeAtomically(path, await temps.next(), bytesOf(content), options);
}
