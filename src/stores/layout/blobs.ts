import { lstat, mkdir, readdir, rm, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { ContentMismatchError, verified } from '../../bytes.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, encodedOf, isDigest, type Digest } from '../../oci/digest.ts';
import type { Bytes, CallOptions, FetchOptions } from '../../store.ts';
import { abortable } from '../../abortable.ts';
import { syncFolder, writeAtomically } from '../../disk/atomic-write.ts';
import { NotInStoreError } from '../not-found.ts';
import type { PartialBlobs } from './partial-blobs.ts';
import { isFolder, openRegular, statRegular } from '../../disk/regular-file.ts';
import { guarded, ifPresent, StorageError } from '../../disk/errno.ts';
import type { TempFiles } from '../../disk/temp-files.ts';

/** Read at once, into one buffer that is used again for the next chunk. */
const CHUNK_BYTES = 1024 * 1024;

/** A blob as its file says, not proved. */
export interface StoredBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** The `blobs` of a layout: files named by their digest. Only a parsed digest becomes a path. */
export class LayoutBlobs {
  readonly #root: string;
  readonly #temps: TempFiles;
  readonly #partials: PartialBlobs;
  #swept: Promise<void> | undefined;

  constructor(root: string, temps: TempFiles, partials: PartialBlobs) {
    this.#root = root;
    this.#temps = temps;
    this.#partials = partials;
  }

  /** The size of a blob in bytes; undefined when it is not there. @throws {UnsafeFileError} when it is a link or no file. */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    const path = await this.#find(digest);
    return path === undefined ? undefined : (await statRegular(path))?.size;
  }

  fetch(target: Descriptor, { signal, offset = 0 }: FetchOptions = {}): Bytes {
    const open = (): Promise<FileHandle> => this.#open(target);
    return {
      async *[Symbol.asyncIterator]() {
        signal?.throwIfAborted();
        const file = await open();
        try {
          const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(target.size - offset, 0)));
          for (let position = offset; position < target.size;) {
            signal?.throwIfAborted();
            const wanted = Math.min(buffer.byteLength, target.size - position);
            const { bytesRead } = await guarded(
              'read',
              target.digest,
              file.read(buffer, 0, wanted, position),
            );
            if (bytesRead === 0) throw new ContentMismatchError(target, `${position} bytes`);
            position += bytesRead;
            yield buffer.subarray(0, bytesRead);
          }
        } finally {
          await file.close();
        }
      },
    };
  }

  /**
   * Writes a blob unless it is there whole. One of another size is what a crash without fsync leaves, and is replaced. A large one goes on
   * where an earlier run has stopped.
   */
  async push(
    expected: Descriptor,
    content: Bytes,
    { signal }: CallOptions = {},
  ): Promise<'written' | 'was there'> {
    signal?.throwIfAborted();
    if ((await this.sizeOf(expected.digest)) === expected.size) return 'was there';
    this.#swept ??= this.#sweep();
    await this.#swept;
    const path = this.#pathOf(expected.digest);
    await this.#makeFolder(dirname(path));
    const isKept =
      this.#partials.canKeep(expected, content) &&
      (await this.#partials.write(path, expected, content, { signal })) === 'written';
    if (!isKept)
      await writeAtomically(
        path,
        await this.#temps.next(),
        verified(abortable(content, signal), expected),
        { signal },
      );
    return 'written';
  }

  /** @throws {NotInStoreError} when it is not there. */
  async delete(digest: Digest): Promise<void> {
    const path = await this.#find(digest);
    if (path === undefined || (await statRegular(path)) === undefined) throw this.#missing(digest);
    await guarded('remove', path, rm(path, { force: true }));
    await syncFolder(dirname(path));
  }

  /** Every blob under a digest that regi can verify. Files of other names are nobody's business here. */
  async *list({ signal }: CallOptions = {}): AsyncIterable<StoredBlob> {
    const blobs = join(this.#root, 'blobs');
    if (!(await isFolder(blobs))) return;
    for (const algorithm of await guarded('read', blobs, readdir(blobs))) {
      const folder = join(blobs, algorithm);
      const found = (await ifPresent('read', folder, lstat(folder)))?.isDirectory() === true;
      for (const encoded of found ? await guarded('read', folder, readdir(folder)) : []) {
        signal?.throwIfAborted();
        const digest = `${algorithm}:${encoded}`;
        const stats = isDigest(digest)
          ? await ifPresent('read', join(folder, encoded), lstat(join(folder, encoded)))
          : undefined;
        if (isDigest(digest) && stats?.isFile() === true)
          yield { digest, size: stats.size, modifiedMs: stats.mtimeMs };
      }
    }
  }

  /** Removes blobs in this order. What is gone already is no error. */
  async remove(digests: Iterable<Digest>): Promise<void> {
    const folders = new Set<string>();
    for (const digest of digests) {
      const path = this.#pathOf(digest);
      await guarded('remove', path, rm(path, { force: true }));
      folders.add(dirname(path));
    }
    for (const folder of folders) await syncFolder(folder);
  }

  async #sweep(): Promise<void> {
    await this.#temps.sweep();
    await this.#partials.expire();
  }

  async #open(target: Descriptor): Promise<FileHandle> {
    const path = await this.#find(target.digest);
    const file = path === undefined ? undefined : await openRegular(path);
    if (path === undefined || file === undefined) throw this.#missing(target.digest);
    try {
      const { size } = await guarded('read', path, file.stat());
      if (size !== target.size) throw new ContentMismatchError(target, `a file of ${size} bytes`);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The path of a blob, when the folders above it are there and are no links. */
  async #find(digest: Digest): Promise<string | undefined> {
    const path = this.#pathOf(digest);
    const found = (await isFolder(join(this.#root, 'blobs'))) && (await isFolder(dirname(path)));
    return found ? path : undefined;
  }

  async #makeFolder(path: string): Promise<void> {
    for (const folder of [join(this.#root, 'blobs'), path]) {
      if (await isFolder(folder)) continue;
      await makeFolder(folder);
      await syncFolder(dirname(folder));
    }
  }

  #pathOf(digest: Digest): string {
    return join(this.#root, 'blobs', algorithmOf(digest), encodedOf(digest));
  }

  #missing(digest: Digest): NotInStoreError {
    return new NotInStoreError(
      digest,
      this.#root,
      'the layout is not whole; copy the image there again from where it came',
    );
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await guarded('create', path, mkdir(path));
  } catch (error) {
    // Another writer was faster; whether it is a folder is looked at again.
    if (!(error instanceof StorageError && error.errno === 'EEXIST' && (await isFolder(path))))
      throw error;
  }
}
