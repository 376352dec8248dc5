import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { Bytes, CallOptions } from '../store.ts';
import { FileWriter } from './file-writer.ts';
import { errnoOf, guarded } from './storage-error.ts';

/**
 * Writes a file that appears under `path` only when it is whole and on the disk: a new file `temp`, fsync, rename, fsync of the
 * folder. `temp` is gone afterwards, whatever happens.
 *
 * @throws {StorageError} when the disk refuses. What `content` throws comes through as it is.
 */
export async function writeAtomically(path: string, temp: string, content: Bytes, { signal }: CallOptions = {}): Promise<void> {
  const file = await guarded('write', path, open(temp, 'wx', 0o666));
  let renamed = false;
  try {
    try {
      await writeAll(file, path, content);
      await guarded('write', path, file.sync());
    } finally {
      await file.close();
    }
    signal?.throwIfAborted();
    await guarded('write', path, rename(temp, path));
    renamed = true;
  } finally {
    if (!renamed) await rm(temp, { force: true });
  }
  await syncFolder(dirname(path));
}

/** Makes what was created in a folder, renamed into it or removed from it outlive a loss of power. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    // Windows opens no folders, and some network file systems sync none; they keep names in order themselves.
    if (!UNSYNCABLE.has(errnoOf(error) ?? '')) throw error;
  }
}

const UNSYNCABLE: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'EISDIR', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP']);

async function writeAll(file: FileHandle, path: string, content: Bytes): Promise<void> {
  const writer = new FileWriter(file, path);
  for await (const chunk of content) await writer.write(chunk);
  await writer.flush();
}
