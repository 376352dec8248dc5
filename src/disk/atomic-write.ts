import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { bytesOf } from '../bytes.ts';
import type { Bytes, CallOptions } from '../store.ts';
import { GatheredWrites } from './buffered-writes.ts';
import { errnoOf, guarded } from './errno.ts';
import { systemProcesses } from './processes.ts';
import { TempFiles } from './temp-files.ts';

/**
 * Writes a file that appears under `path` only when it is whole and on the disk: a new file `temp`, fsync, rename, fsync of the
 * folder. `temp` is gone afterwards, whatever happens.
 *
 * @throws {StorageError} when the disk refuses. What `content` throws comes through as it is.
 */
export async function writeAtomically(
  path: string,
  temp: string,
  content: Bytes,
  { signal }: CallOptions = {},
): Promise<void> {
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

const UNSYNCABLE: ReadonlySet<string> = new Set([
  'EPERM',
  'EACCES',
  'EISDIR',
  'EINVAL',
  'ENOTSUP',
  'EOPNOTSUPP',
]);

async function writeAll(file: FileHandle, path: string, content: Bytes): Promise<void> {
  const writer = new FileWriter(file, path);
  for await (const chunk of content) await writer.write(chunk);
  await writer.flush();
}

/** Writes a file from one position on. */
export class FileWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #gathered = new GatheredWrites((bytes) => this.#put(bytes));
  #position: number;

  /**
   * @param path for messages.
   * @param start where the first byte goes.
   */
  constructor(file: FileHandle, path: string, start = 0) {
    this.#file = file;
    this.#path = path;
    this.#position = start;
  }

  /** Takes a copy of what it does not write at once. @throws {StorageError} when the disk refuses. */
  write(chunk: Uint8Array): Promise<void> {
    return this.#gathered.write(chunk);
  }

  flush(): Promise<void> {
    return this.#gathered.flush();
  }

  async #put(bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.byteLength) {
      const { bytesWritten } = await guarded(
        'write',
        this.#path,
        this.#file.write(bytes, done, bytes.byteLength - done, this.#position),
      );
      done += bytesWritten;
      this.#position += bytesWritten;
    }
  }
}

/** Writes a small file whole or not at all, in place of what was there. */
export async function replaceFile(
  path: string,
  content: Uint8Array,
  options: CallOptions = {},
): Promise<void> {
  const temps = new TempFiles(dirname(path), systemProcesses);
  await writeAtomically(path, await temps.next(), bytesOf(content), options);
}
