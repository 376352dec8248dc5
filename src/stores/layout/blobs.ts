import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { abortable } from '../../abortable.ts';
import { ContentMismatchError, drain, verified } from '../../bytes.ts';
import { syncFolder, writeAtomically } from '../../disk/atomic-write.ts';
import { guarded, ifPresent } from '../../disk/errno.ts';
import type { OpenFile } from '../../disk/random-access.ts';
import { isFolder, openRegular, statRegular } from '../../disk/regular-file.ts';
import type { TempFiles } from '../../disk/temp-files.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { algorithmOf, encodedOf, isDigest, type Digest } from '../../oci/digest.ts';
import type { Bytes, CallOptions, FetchOptions } from '../../store.ts';
import { contentOf } from '../content.ts';
import { NotInStoreError } from '../not-found.ts';
import type { PartialBlobs } from './partial-blobs.ts';

/** A blob as its file says, not proved. */
export interface StoredBlob {
  /** The digest of the blob. */
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
  /** Blobs whose stored bytes this process has hashed. */
  readonly #proved = new Set<Digest>();
  /** Blobs whose stored bytes have another digest. They count as missing. */
  readonly #damaged = new Set<Digest>();
  #swept: Promise<void> | undefined;
  /**
   * An image whose index is the file index.json. It can be read, and does not count as held: the
   * next name changes that file.
   */
  #indexFile: Digest | undefined;

  constructor(root: string, temps: TempFiles, partials: PartialBlobs) {
    this.#root = root;
    this.#temps = temps;
    this.#partials = partials;
  }

  /** Reads the content of that digest from index.json. */
  readFromIndexFile(digest: Digest): void {
    this.#indexFile = digest;
  }

  /**
   * Returns the size of a blob in bytes; undefined when it is missing. @throws {RegiError} REFUSED
   * when it is a link or no file.
   */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    const path = await this.#find(digest);
    return path === undefined ? undefined : (await statRegular(path))?.size;
  }

  /** Returns whether a blob of that size is stored, and is not known to be damaged. */
  async holds({ digest, size }: Descriptor): Promise<boolean> {
    if (this.#damaged.has(digest)) return false;
    const found =
      digest === this.#indexFile
        ? (await statRegular(this.#pathOf(digest)))?.size
        : await this.sizeOf(digest);
    return found === size;
  }

  /**
   * Hashes the stored bytes of a blob. A damaged blob counts as missing from then on, until it is
   * pushed again.
   */
  async prove(target: Descriptor, options: CallOptions = {}): Promise<boolean> {
    if (!(await this.holds(target))) return false;
    if (this.#proved.has(target.digest)) return true;
    try {
      await drain(verified(this.fetch(target, options), target));
    } catch (error) {
      if (!(error instanceof ContentMismatchError)) throw error;
      this.#damaged.add(target.digest);
      return false;
    }
    this.#proved.add(target.digest);
    return true;
  }

  fetch(target: Descriptor, options?: FetchOptions): Bytes {
    return contentOf(target, () => this.#open(target), options);
  }

  /**
   * Writes a blob unless it exists whole. A file of another size is left by a crash without fsync,
   * and is replaced. A large blob resumes where an earlier run stopped.
   */
  async push(
    expected: Descriptor,
    content: Bytes,
    { signal }: CallOptions = {},
  ): Promise<'written' | 'was there'> {
    signal?.throwIfAborted();
    if (await this.holds(expected)) return 'was there';
    this.#swept ??= this.#sweep();
    await this.#swept;
    const path = this.#pathOf(expected.digest);
    await this.#makeFolder(dirname(path));
    const isKept =
      this.#partials.canKeep(expected, content) &&
      (await this.#partials.write(path, expected, content, { signal })) === 'written';
    if (!isKept) {
      const proved = verified(abortable(content, signal), expected);
      await writeAtomically(path, await this.#temps.next(), proved, { signal });
    }
    this.#damaged.delete(expected.digest);
    return 'written';
  }

  /** Lists every blob under a digest that regi can verify. Files of other names are left alone. */
  async *list({ signal }: CallOptions = {}): AsyncIterable<StoredBlob> {
    const blobs = join(this.#root, 'blobs');
    if (!(await isFolder(blobs))) return;
    for (const algorithm of await guarded('read', blobs, readdir(blobs))) {
      const folder = join(blobs, algorithm);
      const found = (await ifPresent('read', folder, lstat(folder)))?.isDirectory() === true;
      for (const encoded of found ? await guarded('read', folder, readdir(folder)) : []) {
        signal?.throwIfAborted();
        const digest = `${algorithm}:${encoded}`;
        if (!isDigest(digest)) continue;
        const path = join(folder, encoded);
        const stats = await ifPresent('read', path, lstat(path));
        if (stats?.isFile() === true) yield { digest, size: stats.size, modifiedMs: stats.mtimeMs };
      }
    }
  }

  /** Removes blobs in this order. A missing one is no error. */
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

  async #open(target: Descriptor): Promise<OpenFile> {
    const path = await this.#find(target.digest);
    const file = path === undefined ? undefined : await openRegular(path);
    if (file === undefined)
      throw new NotInStoreError(
        target.digest,
        this.#root,
        'the layout is incomplete; copy the image there again from its source',
      );
    return file;
  }

  /** Returns the path of a blob when the folders above it exist and are no links. */
  async #find(digest: Digest): Promise<string | undefined> {
    if (digest === this.#indexFile) return join(this.#root, 'index.json');
    const path = this.#pathOf(digest);
    const found = (await isFolder(join(this.#root, 'blobs'))) && (await isFolder(dirname(path)));
    return found ? path : undefined;
  }

  async #makeFolder(path: string): Promise<void> {
    for (const folder of [join(this.#root, 'blobs'), path]) {
      if (await isFolder(folder)) continue;
      const made = mkdir(folder).catch(async (error: unknown) => {
        // Another writer may have been faster.
        if (!(await isFolder(folder))) throw error;
      });
      await guarded('create', folder, made);
      await syncFolder(dirname(folder));
    }
  }

  #pathOf(digest: Digest): string {
    return join(this.#root, 'blobs', algorithmOf(digest), encodedOf(digest));
  }
}
