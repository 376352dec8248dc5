import { constants } from 'node:fs';
import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { RegiError } from '../../errors.ts';
import { unfinishedName, volumeName, volumeNames, volumesThere } from './volumes.ts';
import { syncFolder } from '../../disk/atomic-write.ts';
import { statRegular } from '../../disk/regular-file.ts';
import { guarded, ifPresent, StorageError } from '../../disk/errno.ts';

const SPLIT_HINT = 'write it in parts with --split 4G, or choose another file system';

export interface OutputOptions {
  /** Bytes of the whole archive. */
  readonly size: number;
  /** Bytes of each file but the last; one file when absent. */
  readonly volumeBytes: number | undefined;
}

/** The file, or files, that an archive is written to, beside their final names until all is there. */
export class ArchiveOutput {
  readonly #path: string;
  readonly #size: number;
  readonly #volumeBytes: number | undefined;
  readonly #files: readonly FileHandle[];

  private constructor(
    path: string,
    { size, volumeBytes }: OutputOptions,
    files: readonly FileHandle[],
  ) {
    this.#path = path;
    this.#size = size;
    this.#volumeBytes = volumeBytes;
    this.#files = files;
  }

  /** Whether an earlier run has left something to go on with. @throws {UnsafeFileError} when it is no plain file. */
  static async isThere(path: string, { volumeBytes }: OutputOptions): Promise<boolean> {
    return (await statRegular(unfinishedName(path, 1, volumeBytes))) !== undefined;
  }

  /** What earlier runs have left, of one file or several. */
  static async unfinished(
    path: string,
  ): Promise<readonly { readonly path: string; readonly size: number }[]> {
    const numbers = await volumesThere(`${path}.part`);
    const files: { readonly path: string; readonly size: number }[] = [];
    for (const name of [
      `${path}.part`,
      ...numbers.map((number) => volumeName(`${path}.part`, number)),
    ]) {
      const stats = await ifPresent('read', name, lstat(name));
      if (stats !== undefined) files.push({ path: name, size: stats.size });
    }
    return files;
  }

  /** Removes what earlier runs have left. */
  static async discard(path: string): Promise<void> {
    for (const { path: name } of await ArchiveOutput.unfinished(path))
      await guarded('remove', name, rm(name, { force: true }));
  }

  /** @param isNew nothing is to be there; a link that is put there meanwhile is not followed. */
  static async open(path: string, options: OutputOptions, isNew: boolean): Promise<ArchiveOutput> {
    const files: FileHandle[] = [];
    const exclusive = constants.O_RDWR + constants.O_CREAT + constants.O_EXCL;
    const { volumeBytes, size } = options;
    try {
      for (const [at] of volumeNames(path, size, volumeBytes).entries()) {
        const name = unfinishedName(path, at + 1, volumeBytes);
        const isMissing = isNew || (await statRegular(name)) === undefined;
        const flags = isMissing ? exclusive : constants.O_RDWR + (constants.O_NOFOLLOW ?? 0);
        files.push(await guarded('write', name, open(name, flags, 0o666)));
      }
      return new ArchiveOutput(path, options, files);
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.byteLength;) {
      const { file, name, offset, left } = this.#at(position + done);
      const wanted = Math.min(bytes.byteLength - done, left);
      done += (await this.#fitting(name, file.write(bytes, done, wanted, offset))).bytesWritten;
    }
  }

  /** Fills `buffer`, and says how much of it: less only where nobody wrote yet. */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < buffer.byteLength) {
      const { file, name, offset, left } = this.#at(position + done);
      const { bytesRead } = await guarded(
        'read',
        name,
        file.read(buffer, done, Math.min(buffer.byteLength - done, left), offset),
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  /** Puts the archive in its place. Of several files the first comes last: without it nothing is an archive. */
  async finish(): Promise<void> {
    const names = volumeNames(this.#path, this.#size, this.#volumeBytes);
    for (const [at, file] of this.#files.entries()) {
      const name = this.#nameOf(at);
      // Paddings and the end are zeros, which is what a file is made of where nobody wrote.
      const bytes =
        this.#volumeBytes === undefined
          ? this.#size
          : Math.min(this.#volumeBytes, this.#size - at * this.#volumeBytes);
      await this.#fitting(name, file.truncate(bytes));
      await guarded('write', name, file.sync());
    }
    if (this.#volumeBytes !== undefined) await this.#removeOld();
    for (const [at, name] of [...names.entries()].toReversed())
      await guarded('write', name, rename(this.#nameOf(at), name));
    // What had the name before is replaced, and would be read in place of the volumes.
    if (this.#volumeBytes !== undefined)
      await guarded('remove', this.#path, rm(this.#path, { force: true }));
    await syncFolder(dirname(this.#path));
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }

  async #removeOld(): Promise<void> {
    for (const number of await volumesThere(this.#path)) {
      const name = volumeName(this.#path, number);
      await guarded('remove', name, rm(name, { force: true }));
    }
  }

  #nameOf(at: number): string {
    return unfinishedName(this.#path, at + 1, this.#volumeBytes);
  }

  #at(position: number): {
    readonly file: FileHandle;
    readonly name: string;
    readonly offset: number;
    readonly left: number;
  } {
    const volume = this.#volumeBytes === undefined ? 0 : Math.floor(position / this.#volumeBytes);
    const start = volume * (this.#volumeBytes ?? 0);
    const file = this.#files[volume];
    if (file === undefined)
      throw new RangeError(`Cannot use byte ${position} of an archive of ${this.#size}`);
    return {
      file,
      name: this.#nameOf(volume),
      offset: position - start,
      left: (this.#volumeBytes ?? Number.MAX_SAFE_INTEGER) - (position - start),
    };
  }

  async #fitting<T>(name: string, operation: Promise<T>): Promise<T> {
    try {
      return await guarded('write', name, operation);
    } catch (error) {
      if (!(error instanceof StorageError) || error.errno !== 'EFBIG') throw error;
      throw new RegiError(
        'STORAGE_FAILED',
        `Cannot write ${JSON.stringify(this.#path)}: ${this.#size} bytes are more than a file may have there`,
        {
          hint: SPLIT_HINT,
          cause: error,
        },
      );
    }
  }
}
