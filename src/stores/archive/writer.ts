import { createHash, type Hash } from 'node:crypto';
import { access, open, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

import { abortable } from '../../abortable.ts';
import { ContentMismatchError } from '../../bytes.ts';
import type { Clock } from '../../clock.ts';
import { BufferedWrites } from '../../disk/buffered-writes.ts';
import { guarded, ifPresent, StorageError } from '../../disk/errno.ts';
import { type Shortage, shortageAt } from '../../disk/free-space.ts';
import { withLock } from '../../disk/lock.ts';
import type { Processes } from '../../disk/processes.ts';
import { chunksOf, writeAt } from '../../disk/random-access.ts';
import { RegiError } from '../../errors.ts';
import { algorithmOf, digestFrom } from '../../oci/digest.ts';
import { quotePath } from '../../quote.ts';
import type { Bytes, CallOptions } from '../../store.ts';
import type {
  ArchivePart,
  ArchivePlan,
  ArchiveTarget,
  OpenAt,
  WriteArchive,
} from '../../tar/archive-target.ts';
import type { PlacedFile } from '../../tar/plan-tar.ts';
import { ArchiveJournal, STEP_BYTES } from './journal.ts';
import { ArchiveOutput, SPLIT_HINT } from './output.ts';
import { MAX_VOLUMES } from './volumes.ts';

/** How an archive is written. */
export interface WriteArchiveOptions extends CallOptions {
  /** The clock of the system when absent. */
  readonly clock?: Clock | undefined;
  /** Called when another process writes the same archive and is waited for. */
  readonly onWait?: ((message: string) => void) | undefined;
  /** Called once, when an unfinished archive of an earlier run is resumed. Takes bytes. */
  readonly onResume?: ((bytes: number) => void) | undefined;
  /** Called when there seems to be too little free space for the archive. */
  readonly onShort?: ((shortage: Shortage) => void) | undefined;
  /** Bytes of each of several files, `path.001` and so on; one file when absent. */
  readonly volumeBytes?: number | undefined;
  /** @internal Processes of a test. */
  readonly processes?: Processes | undefined;
}

type LockOptions = Pick<WriteArchiveOptions, 'clock' | 'onWait' | 'processes' | 'signal'>;

/** FAT holds no larger file (its sizes have 32 bits). */
const FAT_BYTES = 2 ** 32 - 1;
/** `f_type` of FAT and vfat; see statfs(2). exFAT holds larger files. */
const FAT_TYPES: ReadonlySet<number> = new Set([0x4d44]);

/**
 * Returns the writer of an archive at `path`, which is absolute.
 *
 * A regular file is written as `path.part`, synced and renamed. A killed run leaves `path.part` and
 * `path.part.journal`, and the next run with the same plan resumes them. A pipe or device is written
 * in order.
 *
 * @throws {RegiError} REFUSED when a link or device is in the place of `path.part`, STORAGE_FAILED
 *   when the file system holds no file of that size.
 */
export function archiveAt(path: string, options: WriteArchiveOptions = {}): WriteArchive {
  return async (plan, work) => {
    options.signal?.throwIfAborted();
    const found = await ifPresent('write', path, stat(path));
    if (found === undefined || found.isFile()) return writeFile(path, plan, work, options);
    const file = await guarded('write', path, open(path, 'w'));
    try {
      await work({ kind: 'stream', write: (chunk) => writeAt(file, path, chunk) });
    } finally {
      await file.close();
    }
  };
}

/** Returns the bytes of an unfinished archive for `path`; undefined when there is none. */
export async function unfinishedArchive(path: string): Promise<number | undefined> {
  const files = await ArchiveOutput.unfinished(path);
  return files.length === 0 ? undefined : files.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Removes an unfinished archive, with its journal.
 *
 * @throws {RegiError} LOCKED when a process is writing it.
 */
export async function discardUnfinished(path: string, options: LockOptions): Promise<void> {
  await locked(path, options, async () => {
    await ArchiveOutput.discard(path);
    await rm(journalOf(path), { force: true });
  });
}

function locked(path: string, options: LockOptions, work: () => Promise<void>): Promise<void> {
  return withLock(`${path}.part.lock`, options, work);
}

function journalOf(path: string): string {
  return `${path}.part.journal`;
}

async function writeFile(
  path: string,
  plan: ArchivePlan,
  work: (target: ArchiveTarget) => Promise<void>,
  options: WriteArchiveOptions,
): Promise<void> {
  // Before the lock, because the user does not know its name.
  await guarded('write', path, access(dirname(path)));
  await checkSize(path, plan.size, options.volumeBytes);
  await locked(path, options, async () => {
    const part = await PartFile.open(path, plan, options);
    let finished = false;
    try {
      await checkSpace(path, plan.size, options);
      await work({ kind: 'file', write: (place, openAt, call) => part.write(place, openAt, call) });
      options.signal?.throwIfAborted();
      await part.finish();
      finished = true;
    } finally {
      await part.close(finished);
    }
  });
}

async function checkSpace(
  path: string,
  size: number,
  { onShort }: WriteArchiveOptions,
): Promise<void> {
  if (onShort === undefined) return;
  const begun = await ArchiveOutput.unfinished(path);
  const shortage = await shortageAt(
    path,
    size,
    begun.map((file) => file.path),
  );
  if (shortage !== undefined) onShort(shortage);
}

/** FAT would fail at the last byte it holds, hours later. */
async function checkSize(path: string, size: number, volumeBytes = size): Promise<void> {
  if (size / volumeBytes > MAX_VOLUMES) {
    throw new RegiError(
      'STORAGE_FAILED',
      `Cannot write ${quotePath(path)} in parts of ${volumeBytes} bytes: expected at most ${MAX_VOLUMES} parts`,
      { hint: `give --split at least ${Math.ceil(size / MAX_VOLUMES)}` },
    );
  }
  if (Math.min(size, volumeBytes) <= FAT_BYTES) return;
  const folder = await guarded('write', dirname(path), statfs(dirname(path)));
  if (!FAT_TYPES.has(folder.type)) return;
  throw new RegiError(
    'STORAGE_FAILED',
    `Cannot write ${quotePath(path)}: its file system holds files of up to 4 GiB, and the archive has ${size} bytes`,
    { hint: SPLIT_HINT },
  );
}

class PartFile {
  readonly #output: ArchiveOutput;
  readonly #journal: ArchiveJournal;
  readonly #numbers: ReadonlyMap<PlacedFile<ArchivePart>, number>;

  private constructor(plan: ArchivePlan, output: ArchiveOutput, journal: ArchiveJournal) {
    this.#output = output;
    this.#journal = journal;
    this.#numbers = new Map(plan.files.map((place, number) => [place, number]));
  }

  static async open(
    path: string,
    plan: ArchivePlan,
    { onResume, volumeBytes }: WriteArchiveOptions,
  ): Promise<PartFile> {
    const journalPath = journalOf(path);
    const files = { size: plan.size, volumeBytes };
    const written = (await ArchiveOutput.isThere(path, files))
      ? await ArchiveJournal.read(journalPath, plan, volumeBytes)
      : undefined;
    if (written === undefined) {
      // The journal first: without its file it means nothing, and a file without its journal cannot
      // be resumed.
      await guarded('remove', journalPath, rm(journalPath, { force: true }));
      await ArchiveOutput.discard(path);
    } else onResume?.([...written.values()].reduce((sum, size) => sum + size, 0));
    const output = await ArchiveOutput.open(path, files, written === undefined);
    try {
      return new PartFile(
        plan,
        output,
        await ArchiveJournal.open(journalPath, plan, { written, volumeBytes }),
      );
    } catch (error) {
      await output.close();
      throw error;
    }
  }

  async write(
    place: PlacedFile<ArchivePart>,
    openAt: OpenAt,
    { signal }: CallOptions = {},
  ): Promise<number> {
    const { file, header, position } = place;
    await this.#output.write(header, position);
    if (file.kind === 'made') {
      await this.#output.write(file.bytes, place.offset);
      return 0;
    }
    const number = this.#numbers.get(place);
    if (number === undefined) throw new Error(`"${file.name}" is not in the plan`);
    const known = Math.min(this.#journal.written(number), file.size);
    try {
      await this.#fill({ place, number, openAt, signal }, file.target, known);
      return known;
    } catch (error) {
      // A power cut may have lost bytes that the journal lists. Then the blob starts again, once.
      if (known === 0 || !(error instanceof ContentMismatchError)) throw error;
      await this.#fill({ place, number, openAt, signal }, file.target, 0);
      return 0;
    }
  }

  finish(): Promise<void> {
    return this.#output.finish();
  }

  async close(finished: boolean): Promise<void> {
    await this.#output.close();
    await this.#journal.close();
    if (finished) await this.#journal.remove();
  }

  async #fill(
    { place, number, openAt, signal }: Fill,
    target: PlacedTarget,
    known: number,
  ): Promise<void> {
    const algorithm = algorithmOf(target.digest);
    const hash = createHash(algorithm);
    await this.#hashWritten(hash, place.offset, known, signal);
    let written = known;
    const writes = new BufferedWrites(async (bytes) => {
      await this.#output.write(bytes, place.offset + written);
      written += bytes.byteLength;
    }, target.size);
    let noted = known;
    let size = known;
    if (known < target.size || target.size === 0) {
      try {
        for await (const chunk of abortable(openAt(known), signal)) {
          size += chunk.byteLength;
          if (size > target.size) throw new ContentMismatchError(target, 'more bytes than that');
          hash.update(chunk);
          await writes.write(chunk);
          if (written - noted < STEP_BYTES) continue;
          noted = written;
          await this.#journal.note(number, noted);
        }
      } catch (error) {
        if (!(error instanceof ContentMismatchError) && !(error instanceof StorageError)) {
          await writes.flush();
          await this.#journal.note(number, written);
        }
        throw error;
      }
    }
    if (size < target.size) throw new ContentMismatchError(target, `${size} bytes`);
    const digest = digestFrom(hash, algorithm);
    if (digest !== target.digest) throw new ContentMismatchError(target, digest);
    await writes.flush();
    await this.#journal.note(number, target.size);
  }

  async #hashWritten(
    hash: Hash,
    offset: number,
    size: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const file = {
      size: offset + size,
      read: (buffer: Uint8Array, position: number) => this.#output.read(buffer, position),
    };
    let hashed = 0;
    for await (const chunk of chunksOf(file, { from: offset, signal })) {
      hash.update(chunk);
      hashed += chunk.byteLength;
    }
    // A file that is shorter than the journal says must fail: one more byte changes the digest.
    if (hashed < size) hash.update(new Uint8Array(1));
  }
}

type PlacedTarget = Extract<ArchivePart, { kind: 'node' }>['target'];

interface Fill {
  readonly place: PlacedFile<ArchivePart>;
  readonly number: number;
  readonly openAt: (offset: number) => Bytes;
  readonly signal: AbortSignal | undefined;
}
