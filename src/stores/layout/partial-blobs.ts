import { constants, type Stats } from 'node:fs';
import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { abortable } from '../../abortable.ts';
import { ContentMismatchError, openedAt, verified } from '../../bytes.ts';
import type { Clock } from '../../clock.ts';
import { FileWriter, syncFolder } from '../../disk/atomic-write.ts';
import { guarded, ifPresent, StorageError } from '../../disk/errno.ts';
import type { Processes } from '../../disk/processes.ts';
import { chunksOf, fileOf } from '../../disk/random-access.ts';
import { statRegular } from '../../disk/regular-file.ts';
import { type OwnedFile, TempFiles } from '../../disk/temp-files.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { encodedOf, isDigest, type Digest } from '../../oci/digest.ts';
import type { Bytes, CallOptions } from '../../store.ts';

/** Below this size, fetching again is cheaper than looking for a partial blob. */
const SMALLEST_BYTES = 1024 * 1024;
/** After a week, a partial blob will not be resumed. */
const EXPIRY_MS = 7 * 24 * 60 * 60_000;
/** A process of another machine that is at work writes more often. */
const SILENT_MS = 60 * 60_000;

/** A blob that is not complete. */
export interface PartialBlob {
  /** The digest of the whole blob. */
  readonly digest: Digest;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** True when no process is writing it. */
  readonly isLeft: boolean;
}

export interface PartialBlobsOptions {
  readonly processes: Processes;
  readonly clock: Pick<Clock, 'now'>;
  /** Called and awaited once, before the first file is made. */
  readonly onBegin?: (() => Promise<void>) | undefined;
}

/**
 * Paths that this process is writing: of two writes of one blob at once, the second keeps nothing.
 */
const writing = new Set<string>();

/**
 * Partial blobs in files beside `blobs`, which the run after a killed or failed one resumes. A file
 * is named for its digest and its process, and taken over by a rename when that process is gone.
 * Its bytes prove nothing, and are hashed again.
 */
export class PartialBlobs {
  readonly #files: TempFiles;
  readonly #options: PartialBlobsOptions;
  #begun: Promise<void> | undefined;

  /** @param root the folder of the layout. */
  constructor(root: string, options: PartialBlobsOptions) {
    this.#files = new TempFiles(root, options.processes, 'part');
    this.#options = options;
  }

  /** True if a blob is large enough, and its content can be opened where an earlier run stopped. */
  canKeep(expected: Descriptor, content: Bytes): boolean {
    return expected.size >= SMALLEST_BYTES && openedAt(content, 0) !== undefined;
  }

  /**
   * Writes a blob to `path`, where it appears whole or not at all, and resumes a partial one. On
   * failure, the bytes so far stay for the next run, unless they are wrong or the disk refuses.
   *
   * @returns `busy`, with nothing written, when this process is writing the same blob.
   * @throws {ContentMismatchError} when the content is not `expected`.
   */
  async write(
    path: string,
    expected: Descriptor,
    content: Bytes,
    { signal }: CallOptions = {},
  ): Promise<'written' | 'busy'> {
    const part = await this.#files.named(encodedOf(expected.digest));
    if (writing.has(part)) return 'busy';
    writing.add(part);
    try {
      this.#begun ??= this.#options.onBegin?.();
      await this.#begun;
      await this.#adopt(part, expected);
      await writePart(part, path, { expected, content, signal });
      await syncFolder(dirname(path));
      return 'written';
    } finally {
      writing.delete(part);
    }
  }

  async list(): Promise<readonly PartialBlob[]> {
    const partials: PartialBlob[] = [];
    for (const file of await this.#files.list()) {
      const stats = await plainFile(file.path);
      const digest = digestIn(file.name);
      if (stats === undefined || digest === undefined) continue;
      const isLeft = file.isOwn ? !writing.has(file.path) : this.#isLeft(file, stats);
      partials.push({ digest, path: file.path, size: stats.size, isLeft });
    }
    return partials;
  }

  /** Removes this process's partial blob. */
  async discard({ digest }: Descriptor): Promise<void> {
    const path = await this.#files.named(encodedOf(digest));
    if (!writing.has(path)) await this.remove({ path });
  }

  async remove({ path }: Pick<PartialBlob, 'path'>): Promise<void> {
    await guarded('remove', path, rm(path, { force: true }));
  }

  /** Removes partial blobs that will not be resumed. */
  async expire(): Promise<void> {
    const now = this.#options.clock.now();
    for (const { path, isOwnerGone, isElsewhere } of await this.#files.list()) {
      if (!isOwnerGone && !isElsewhere) continue;
      const stats = await plainFile(path);
      if (stats !== undefined && now - stats.mtimeMs > EXPIRY_MS) await rm(path, { force: true });
    }
  }

  async #adopt(part: string, { digest }: Descriptor): Promise<void> {
    for (const file of await this.#files.list()) {
      if (file.name !== encodedOf(digest) || file.path === part) continue;
      const stats = await plainFile(file.path);
      if (stats === undefined || !this.#isLeft(file, stats)) continue;
      // Another process may be faster.
      await ifPresent('rename', file.path, rename(file.path, part));
      return;
    }
  }

  #isLeft({ isOwnerGone, isElsewhere }: OwnedFile, { mtimeMs }: Stats): boolean {
    return isOwnerGone || (isElsewhere && this.#options.clock.now() - mtimeMs > SILENT_MS);
  }
}

/** Finds the algorithm by the length. Undefined for a name that regi has not given. */
function digestIn(name: string): Digest | undefined {
  return [`sha256:${name}`, `sha512:${name}`].find((digest) => isDigest(digest));
}

/** Undefined for a link or device: regi has not made it, and it harms nothing. */
async function plainFile(path: string): Promise<Stats | undefined> {
  const stats = await ifPresent('read', path, lstat(path));
  return stats?.isFile() === true ? stats : undefined;
}

interface Fill extends CallOptions {
  readonly expected: Descriptor;
  readonly content: Bytes;
}

async function writePart(part: string, path: string, fill: Fill): Promise<void> {
  const file = await openPart(part, path);
  let isUseless = true;
  try {
    try {
      const { size } = await guarded('read', part, file.stat());
      await fillOrRestart(file, path, fill, size <= fill.expected.size ? size : 0);
      await guarded('write', path, file.sync());
    } catch (error) {
      const { size } = await guarded('read', part, file.stat());
      isUseless = size === 0 || isFinal(error);
      throw error;
    } finally {
      await file.close();
    }
    isUseless = false;
    fill.signal?.throwIfAborted();
    await guarded('write', path, rename(part, path));
  } finally {
    if (isUseless) await rm(part, { force: true });
  }
}

/** True for failures that the same bytes would have again. */
function isFinal(error: unknown): boolean {
  return error instanceof ContentMismatchError || error instanceof StorageError;
}

/**
 * Removes a file of several links, which a write would change elsewhere: a layout may come from
 * anywhere.
 */
async function openPart(part: string, path: string): Promise<FileHandle> {
  const found = await statRegular(part);
  if (found !== undefined && found.nlink !== 1)
    await guarded('remove', part, rm(part, { force: true }));
  const flags = constants.O_RDWR + constants.O_CREAT + (constants.O_NOFOLLOW ?? 0);
  return guarded('write', path, open(part, flags, 0o666));
}

async function fillOrRestart(
  file: FileHandle,
  path: string,
  fill: Fill,
  known: number,
): Promise<void> {
  try {
    await fillFrom(file, path, fill, known);
  } catch (error) {
    // A loss of power may have taken bytes that the file seems to have: then it starts again, once.
    if (known === 0 || !(error instanceof ContentMismatchError)) throw error;
    await fillFrom(file, path, fill, 0);
  }
}

async function fillFrom(
  file: FileHandle,
  path: string,
  { expected, content, signal }: Fill,
  known: number,
): Promise<void> {
  await guarded('write', path, file.truncate(known));
  const rest = known === 0 ? content : openedAt(content, known);
  if (rest === undefined)
    throw new Error(`Content of ${expected.digest} cannot be opened at ${known}`);
  const whole: Bytes = {
    async *[Symbol.asyncIterator]() {
      yield* chunksOf(fileOf(file, path, known), { signal });
      yield* abortable(rest, signal);
    },
  };
  const writer = new FileWriter(file, path, known);
  let position = 0;
  try {
    for await (const chunk of verified(whole, expected)) {
      position += chunk.byteLength;
      if (position > known)
        await writer.write(chunk.subarray(Math.max(0, chunk.byteLength - (position - known))));
    }
  } catch (error) {
    if (!isFinal(error)) await writer.flush();
    throw error;
  }
  await writer.flush();
}
