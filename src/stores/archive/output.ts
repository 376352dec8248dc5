import { constants } from 'node:fs';
import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { syncFolder } from '../../disk/atomic-write.ts';
import { errnoOf, guarded, ifPresent } from '../../disk/errno.ts';
import { fill, writeAt } from '../../disk/random-access.ts';
import { statRegular } from '../../disk/regular-file.ts';
import { RegiError } from '../../errors.ts';
import { quotePath } from '../../quote.ts';
import { unfinishedName, volumeName, volumeNames, volumesThere } from './volumes.ts';

export interface OutputOptions {
  /** Bytes of the whole archive. */
  readonly size: number;
  /** Bytes of each file but the last; one file when absent. */
  readonly volumeBytes: number | undefined;
}

interface UnfinishedFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** The part of a write or read that goes to one file. */
interface Piece {
  readonly file: FileHandle;
  readonly name: string;
  /** Position in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * The file, or files, that an archive is written to, beside their final names until they are
 * complete.
 */
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

  /**
   * Returns whether an earlier run left files to resume. @throws {RegiError} REFUSED when the first
   * is no plain file.
   */
  static async isThere(path: string, { volumeBytes }: OutputOptions): Promise<boolean> {
    return (await statRegular(unfinishedName(path, 1, volumeBytes))) !== undefined;
  }

  /** Lists the unfinished files of earlier runs, of one file or several. */
  static async unfinished(path: string): Promise<readonly UnfinishedFile[]> {
    const part = `${path}.part`;
    const volumes = (await volumesThere(part)).map((number) => volumeName(part, number));
    const files: UnfinishedFile[] = [];
    for (const name of [part, ...volumes]) {
      const stats = await ifPresent('read', name, lstat(name));
      if (stats !== undefined) files.push({ path: name, size: stats.size });
    }
    return files;
  }

  /** Removes the unfinished files of earlier runs. */
  static async discard(path: string): Promise<void> {
    for (const file of await ArchiveOutput.unfinished(path)) await remove(file.path);
  }

  /**
   * @param isNew creates every file; a link that another process puts there meanwhile is not
   *   followed.
   */
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
    for (const piece of this.#pieces(bytes, position))
      await this.#fitting(writeAt(piece.file, piece.name, piece.bytes, piece.offset));
  }

  /**
   * Fills `buffer`, and returns the number of bytes read: fewer only where nothing was written yet.
   */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    let done = 0;
    for (const { file, name, offset, bytes } of this.#pieces(buffer, position)) {
      const read = await fill(file, name, bytes, offset);
      done += read;
      if (read < bytes.byteLength) break;
    }
    return done;
  }

  /**
   * Moves the archive to its final name. Of several files the first comes last: without it, the
   * others are no archive.
   */
  async finish(): Promise<void> {
    const volumeBytes = this.#volumeBytes;
    for (const [at, file] of this.#files.entries()) {
      const name = this.#nameOf(at);
      // Paddings and the end are zeros, and so is a file where nothing was written.
      const left = this.#size - at * (volumeBytes ?? 0);
      const sizing = guarded('write', name, file.truncate(Math.min(volumeBytes ?? left, left)));
      await this.#fitting(sizing);
      await guarded('write', name, file.sync());
    }
    if (volumeBytes !== undefined)
      for (const number of await volumesThere(this.#path))
        await remove(volumeName(this.#path, number));
    const names = volumeNames(this.#path, this.#size, volumeBytes);
    for (const [at, name] of [...names.entries()].toReversed())
      await guarded('write', name, rename(this.#nameOf(at), name));
    // A file of the plain name would be read in place of the volumes.
    if (volumeBytes !== undefined) await remove(this.#path);
    await syncFolder(dirname(this.#path));
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }

  #nameOf(at: number): string {
    return unfinishedName(this.#path, at + 1, this.#volumeBytes);
  }

  *#pieces(bytes: Uint8Array, position: number): Iterable<Piece> {
    const volumeBytes = this.#volumeBytes ?? Number.MAX_SAFE_INTEGER;
    for (let done = 0; done < bytes.byteLength;) {
      const at = Math.floor((position + done) / volumeBytes);
      const file = this.#files[at];
      if (file === undefined)
        throw new RangeError(
          `Cannot use byte ${position + done} of an archive of ${this.#size} bytes`,
        );
      const offset = position + done - at * volumeBytes;
      const piece = bytes.subarray(done, done + volumeBytes - offset);
      yield { file, name: this.#nameOf(at), offset, bytes: piece };
      done += piece.byteLength;
    }
  }

  async #fitting(operation: Promise<void>): Promise<void> {
    try {
      await operation;
    } catch (error) {
      if (errnoOf(error) !== 'EFBIG') throw error;
      throw new RegiError(
        'STORAGE_FAILED',
        `Cannot write ${quotePath(this.#path)}: its file system holds no file of ${this.#size} bytes`,
        { hint: SPLIT_HINT, cause: error },
      );
    }
  }
}

/** The hint where a file system holds no file of the archive's size. */
export const SPLIT_HINT = 'write it in parts with --split 4G, or choose another file system';

async function remove(path: string): Promise<void> {
  await guarded('remove', path, rm(path, { force: true }));
}
