import { createHash, type Hash } from 'node:crypto';
import { access, type FileHandle, open, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

import { RegiError } from '../../errors.ts';
import { abortable } from '../../abortable.ts';
import { ContentMismatchError } from '../../bytes.ts';
import { type Clock, systemClock } from '../../clock.ts';
import { GatheredWrites } from '../../disk/buffered-writes.ts';
import { guarded, ifPresent, StorageError } from '../../disk/errno.ts';
import { type Shortage, shortageAt } from '../../disk/free-space.ts';
import { withLock } from '../../disk/lock.ts';
import { type Processes, systemProcesses } from '../../disk/processes.ts';
import { TempFiles } from '../../disk/temp-files.ts';
import { algorithmOf, digestFrom } from '../../oci/digest.ts';
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
import { ArchiveOutput } from './output.ts';
import { MAX_VOLUMES } from './volumes.ts';

export interface WriteArchiveOptions extends CallOptions {
  /** The system's when absent. */
  readonly clock?: Clock | undefined;
  /** Told when another process writes the same archive and is waited for. */
  readonly onWait?: ((message: string) => void) | undefined;
  /** Told once, when an earlier run has left something to go on with. Bytes. */
  readonly onResume?: ((bytes: number) => void) | undefined;
  /** Told when there seems to be too little room for the archive. */
  readonly onShort?: ((shortage: Shortage) => void) | undefined;
  /** Bytes of each of several files, `path.001` and so on, that the archive is written to; one file when absent. */
  readonly volumeBytes?: number | undefined;
  readonly processes?: Processes | undefined;
}

const READ_BYTES = 1024 * 1024;
/** FAT holds no larger file (its sizes have 32 bits). */
const FAT_BYTES = 2 ** 32 - 1;
/** `f_type` of vfat and exFAT's smaller sister; statfs(2). */
const FAT_TYPES: ReadonlySet<number> = new Set([0x4d44]);

/**
 * Says how an archive is written to `path`, which is absolute.
 *
 * A regular file is written beside itself as `path.part`, synced and renamed; a run that was killed leaves that, and
 * `path.part.journal`, and the next run with the same plan goes on from there. A pipe or device is written in order.
 *
 * @throws {UnsafeFileError} when a link or device is where `path.part` goes.
 * @throws {ArchiveTooLargeError} when the file system holds no file of that size.
 */
export function archiveAt(path: string, options: WriteArchiveOptions = {}): WriteArchive {
  return async (plan, work) => {
    options.signal?.throwIfAborted();
    const found = await ifPresent('write', path, stat(path));
    if (found === undefined || found.isFile()) return writeFile(path, plan, work, options);
    const file = await guarded('write', path, open(path, 'w'));
    try {
      await work({ kind: 'stream', write: (chunk) => writeInOrder(file, path, chunk) });
    } finally {
      await file.close();
    }
  };
}

/** Bytes of an archive for `path` that is not finished; undefined when there is none. */
export async function unfinishedArchive(path: string): Promise<number | undefined> {
  const files = await ArchiveOutput.unfinished(path);
  return files.length === 0 ? undefined : files.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Removes an archive that is not finished, with what is known of it.
 *
 * @throws {LockedError} when somebody is writing it.
 */
export async function discardUnfinished(
  path: string,
  options: Pick<WriteArchiveOptions, 'clock' | 'onWait' | 'processes' | 'signal'>,
): Promise<void> {
  await locked(path, options, async () => {
    await ArchiveOutput.discard(path);
    await rm(journalOf(path), { force: true });
  });
}

function locked(
  path: string,
  options: Pick<WriteArchiveOptions, 'clock' | 'onWait' | 'processes' | 'signal'>,
  work: () => Promise<void>,
): Promise<void> {
  const { clock = systemClock, processes = systemProcesses } = options;
  return withLock(
    `${path}.part.lock`,
    { ...options, clock, processes, temps: new TempFiles(dirname(path), processes) },
    work,
  );
}

function journalOf(path: string): string {
  return `${path}.part.journal`;
}

async function writeInOrder(file: FileHandle, path: string, chunk: Uint8Array): Promise<void> {
  let done = 0;
  while (done < chunk.byteLength)
    done += (await guarded('write', path, file.write(chunk, done))).bytesWritten;
}

async function writeFile(
  path: string,
  plan: ArchivePlan,
  work: (target: ArchiveTarget) => Promise<void>,
  options: WriteArchiveOptions,
): Promise<void> {
  // Before the lock, whose name nobody knows.
  await guarded('write', path, access(dirname(path)));
  await checkSize(path, plan.size, options.volumeBytes);
  await locked(path, options, async () => {
    const part = await PartFile.open(path, plan, options);
    let finished = false;
    try {
      await tellShortage(path, plan.size, options);
      await work({ kind: 'file', write: (place, openAt, call) => part.write(place, openAt, call) });
      options.signal?.throwIfAborted();
      await part.finish();
      finished = true;
    } finally {
      await part.close(finished);
    }
  });
}

async function tellShortage(
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

/** FAT takes what it can and fails at the last byte, hours later. */
async function checkSize(path: string, size: number, volumeBytes = size): Promise<void> {
  if (size / volumeBytes > MAX_VOLUMES) {
    throw new RegiError(
      'STORAGE_FAILED',
      `Cannot write ${JSON.stringify(path)} in parts of ${volumeBytes} bytes: expected at most ${MAX_VOLUMES} parts`,
      {
        hint: `give --split at least ${Math.ceil(size / MAX_VOLUMES)}`,
      },
    );
  }
  if (Math.min(size, volumeBytes) <= FAT_BYTES) return;
  const folder = await guarded('write', dirname(path), statfs(dirname(path)));
  if (!FAT_TYPES.has(folder.type)) return;
  throw new RegiError(
    'STORAGE_FAILED',
    `Cannot write ${JSON.stringify(path)}: its file system holds files of up to 4 GiB, and the archive has ${size} bytes`,
    {
      hint: 'write it in parts with --split 4G, or choose another file system',
    },
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
      // The journal first: one without its file is nothing, a file without its journal is of no use.
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
      // A power cut may have lost bytes that were noted: then it is begun again, once.
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
    const window = new ArchiveWindow(this.#output, {
      offset: place.offset,
      size: target.size,
      start: known,
    });
    let noted = known;
    let size = known;
    if (known < target.size || target.size === 0) {
      try {
        for await (const chunk of abortable(openAt(known), signal)) {
          size += chunk.byteLength;
          if (size > target.size) throw new ContentMismatchError(target, 'more bytes than that');
          hash.update(chunk);
          await window.write(chunk);
          if (window.written - noted < STEP_BYTES) continue;
          noted = window.written;
          await this.#journal.note(number, noted);
        }
      } catch (error) {
        if (!(error instanceof ContentMismatchError) && !(error instanceof StorageError)) {
          await window.flush();
          await this.#journal.note(number, window.written);
        }
        throw error;
      }
    }
    if (size < target.size) throw new ContentMismatchError(target, `${size} bytes`);
    const digest = digestFrom(hash, algorithm);
    if (digest !== target.digest) throw new ContentMismatchError(target, digest);
    await window.flush();
    await this.#journal.note(number, target.size);
  }

  async #hashWritten(
    hash: Hash,
    offset: number,
    size: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const buffer = new Uint8Array(Math.min(READ_BYTES, size));
    for (let at = 0; at < size;) {
      signal?.throwIfAborted();
      const bytesRead = await this.#output.read(
        buffer.subarray(0, Math.min(buffer.byteLength, size - at)),
        offset + at,
      );
      if (bytesRead === 0) {
        // The file is shorter than the journal says: what is missing counts as zeros, and the digest will tell.
        hash.update(new Uint8Array(1));
        return;
      }
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  }
}

type PlacedTarget = Extract<ArchivePart, { kind: 'node' }>['target'];

interface Fill {
  readonly place: PlacedFile<ArchivePart>;
  readonly number: number;
  readonly openAt: (offset: number) => Bytes;
  readonly signal: AbortSignal | undefined;
}

/** The place of one content in a file that others write to as well. A byte outside is a bug, and is not written. */
class ArchiveWindow {
  readonly #output: ArchiveOutput;
  readonly #offset: number;
  readonly #size: number;
  readonly #gathered: GatheredWrites;
  #written: number;

  /** @param start bytes that are there already. */
  constructor(
    output: ArchiveOutput,
    {
      offset,
      size,
      start,
    }: { readonly offset: number; readonly size: number; readonly start: number },
  ) {
    this.#output = output;
    this.#offset = offset;
    this.#size = size;
    this.#written = start;
    this.#gathered = new GatheredWrites((bytes) => this.#put(bytes), size);
  }

  /** Bytes that are in the file. */
  get written(): number {
    return this.#written;
  }

  /** Takes a copy of what it does not write at once. */
  async write(chunk: Uint8Array): Promise<void> {
    const end = this.#written + this.#gathered.waiting + chunk.byteLength;
    if (end > this.#size)
      throw new RangeError(`Cannot write more than ${this.#size} bytes into the place of a part`);
    await this.#gathered.write(chunk);
  }

  flush(): Promise<void> {
    return this.#gathered.flush();
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#output.write(bytes, this.#offset + this.#written);
    this.#written += bytes.byteLength;
  }
}
