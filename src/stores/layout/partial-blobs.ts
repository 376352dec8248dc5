import { constants, type Stats } from 'node:fs';
import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { ContentMismatchError, openedAt, verified } from '../../bytes.ts';
import type { Clock } from '../../clock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { encodedOf, isDigest, type Digest } from '../../oci/digest.ts';
import type { Bytes, CallOptions } from '../../store.ts';
import { abortable } from '../../abortable.ts';
import { syncFolder, FileWriter } from '../../disk/atomic-write.ts';
import type { Processes } from '../../disk/processes.ts';
import { statRegular } from '../../disk/regular-file.ts';
import { guarded, ifPresent, StorageError } from '../../disk/errno.ts';
import { TempFiles } from '../../disk/temp-files.ts';

/** What is smaller is fetched again sooner than it is looked for. */
const SMALLEST_BYTES = 1024 * 1024;
/** Nobody comes back for it. */
const EXPIRY_MS = 7 * 24 * 60 * 60_000;
/** A process of another machine that is at work writes more often. */
const SILENT_MS = 60 * 60_000;
const READ_BYTES = 1024 * 1024;

/** A blob that is not whole. */
export interface PartialBlob {
  /** Of the whole blob. */
  readonly digest: Digest;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Whether nobody is at work on it. */
  readonly isLeft: boolean;
}

export interface PartialBlobsOptions {
  readonly processes: Processes;
  readonly clock: Pick<Clock, 'now'>;
  /** Waited for once, before the first file is made. */
  readonly onBegin?: (() => Promise<void>) | undefined;
}

/** Those that this process writes: of two that write one blob at once, the second keeps nothing. */
const writing = new Set<string>();

/**
 * Blobs that are not whole, in files beside `blobs`: what a killed or failed run leaves is where the next one goes on. A file is named for its
 * digest and its process, and taken over by a rename when that process is gone. What is in it proves nothing, and is hashed again.
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

  /** Whether a blob is worth it, and its content can be opened where an earlier run has stopped. */
  canKeep(expected: Descriptor, content: Bytes): boolean {
    return expected.size >= SMALLEST_BYTES && openedAt(content, 0) !== undefined;
  }

  /**
   * Writes a blob to `path`, where it appears whole or not at all; goes on with what is there of it. When it fails, what has arrived stays for
   * the next run, unless it is wrong or the disk refuses.
   *
   * @returns whether it was done: `busy` when this process is writing that very blob.
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
      await writePart(part, path, expected, content, signal);
      await syncFolder(dirname(path));
      return 'written';
    } finally {
      writing.delete(part);
    }
  }

  /** All of them. */
  async list(): Promise<readonly PartialBlob[]> {
    const partials: PartialBlob[] = [];
    for (const file of await this.#files.list()) {
      const stats = await plainFile(file.path);
      const digest = digestIn(file.name);
      if (stats === undefined || digest === undefined) continue;
      const isOwn = file.path === (await this.#files.named(file.name)) && !writing.has(file.path);
      partials.push({
        digest,
        path: file.path,
        size: stats.size,
        isLeft: isOwn || this.#isLeft(file, stats.mtimeMs),
      });
    }
    return partials;
  }

  /** Removes what this process has left of a blob. */
  async discard({ digest }: Descriptor): Promise<void> {
    const path = await this.#files.named(encodedOf(digest));
    if (!writing.has(path)) await guarded('remove', path, rm(path, { force: true }));
  }

  async remove({ path }: PartialBlob): Promise<void> {
    await guarded('remove', path, rm(path, { force: true }));
  }

  /** Removes what nobody has come back for. */
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
      if (stats === undefined || !this.#isLeft(file, stats.mtimeMs)) continue;
      // Another process may be faster.
      await ifPresent('rename', file.path, rename(file.path, part));
      return;
    }
  }

  #isLeft(
    { isOwnerGone, isElsewhere }: { readonly isOwnerGone: boolean; readonly isElsewhere: boolean },
    modifiedMs: number,
  ): boolean {
    return isOwnerGone || (isElsewhere && this.#options.clock.now() - modifiedMs > SILENT_MS);
  }
}

/** The algorithm is told by the length. Undefined for a name that we have not given. */
function digestIn(name: string): Digest | undefined {
  return [`sha256:${name}`, `sha512:${name}`].find((digest) => isDigest(digest));
}

/** Undefined for a link or device: no process of ours has made it, and it is in nobody's way. */
async function plainFile(path: string): Promise<Stats | undefined> {
  const stats = await ifPresent('read', path, lstat(path));
  return stats?.isFile() === true ? stats : undefined;
}

async function writePart(
  part: string,
  path: string,
  expected: Descriptor,
  content: Bytes,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = await openPart(part, path);
  let outcome: 'renamed' | 'kept' | 'useless' = 'useless';
  try {
    try {
      const { size } = await guarded('read', part, file.stat());
      const known = size <= expected.size ? size : 0;
      await fillOrRestart(file, path, { expected, content, known, signal });
      await guarded('write', path, file.sync());
    } catch (error) {
      const { size } = await guarded('read', part, file.stat());
      if (size > 0 && !(error instanceof ContentMismatchError) && !(error instanceof StorageError))
        outcome = 'kept';
      throw error;
    } finally {
      await file.close();
    }
    outcome = 'kept';
    signal?.throwIfAborted();
    await guarded('write', path, rename(part, path));
    outcome = 'renamed';
  } finally {
    if (outcome === 'useless') await rm(part, { force: true });
  }
}

/** A link in its place would be written through: a layout may come from anywhere. */
async function openPart(part: string, path: string): Promise<FileHandle> {
  const found = await statRegular(part);
  if (found !== undefined && found.nlink !== 1)
    await guarded('remove', part, rm(part, { force: true }));
  const flags = constants.O_RDWR + constants.O_CREAT + (constants.O_NOFOLLOW ?? 0);
  return guarded('write', path, open(part, flags, 0o666));
}

interface Fill {
  readonly expected: Descriptor;
  readonly content: Bytes;
  /** Bytes that are there. */
  readonly known: number;
  readonly signal: AbortSignal | undefined;
}

async function fillOrRestart(file: FileHandle, path: string, fill: Fill): Promise<void> {
  try {
    await fillFrom(file, path, fill);
  } catch (error) {
    // A loss of power may have taken bytes that the file seems to have: then it is begun again, once.
    if (fill.known === 0 || !(error instanceof ContentMismatchError)) throw error;
    await fillFrom(file, path, { ...fill, known: 0 });
  }
}

async function fillFrom(
  file: FileHandle,
  path: string,
  { expected, content, known, signal }: Fill,
): Promise<void> {
  await guarded('write', path, file.truncate(known));
  const rest = known === 0 ? content : openedAt(content, known);
  if (rest === undefined)
    throw new Error(`Content of ${expected.digest} cannot be opened at ${known}`);
  const writer = new FileWriter(file, path, known);
  let position = 0;
  try {
    for await (const chunk of known === 0
      ? verified(abortable(rest, signal), expected)
      : verified(joined(file, path, { known, rest, signal }), expected)) {
      position += chunk.byteLength;
      if (position > known)
        await writer.write(chunk.subarray(Math.max(0, chunk.byteLength - (position - known))));
    }
  } catch (error) {
    if (!(error instanceof StorageError) && !(error instanceof ContentMismatchError))
      await writer.flush();
    throw error;
  }
  await writer.flush();
}

function joined(
  file: FileHandle,
  path: string,
  {
    known,
    rest,
    signal,
  }: { readonly known: number; readonly rest: Bytes; readonly signal: AbortSignal | undefined },
): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      const buffer = new Uint8Array(Math.min(READ_BYTES, known));
      for (let position = 0; position < known;) {
        signal?.throwIfAborted();
        const { bytesRead } = await guarded(
          'read',
          path,
          file.read(buffer, 0, Math.min(buffer.byteLength, known - position), position),
        );
        if (bytesRead === 0) throw new Error(`"${path}" became shorter while it was read`);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
      yield* abortable(rest, signal);
    },
  };
}
