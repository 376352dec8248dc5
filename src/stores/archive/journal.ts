import { createHash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';

import { guarded } from '../../disk/errno.ts';
import { readRegular } from '../../disk/regular-file.ts';
import type { ArchivePlan } from '../../tar/archive-target.ts';

/** A journal has a line per part and per `STEP_BYTES` of a part. */
const JOURNAL_BYTES = 256 * 1024 * 1024;
/** Bytes of a part between two notes: the most that is fetched again. */
export const STEP_BYTES = 512 * 1024;

export interface JournalStart {
  /** The result of `read()`. */
  readonly written: ReadonlyMap<number, number> | undefined;
  /** Bytes of each file, when there are several. */
  readonly volumeBytes?: number | undefined;
}

/**
 * The progress of an unfinished archive: the bytes written of each part, by its number in the plan.
 * It is a mere hint: every byte is hashed again before it counts.
 */
export class ArchiveJournal {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #written: ReadonlyMap<number, number>;

  private constructor(path: string, file: FileHandle, written: ReadonlyMap<number, number>) {
    this.#path = path;
    this.#file = file;
    this.#written = written;
  }

  /**
   * Reads the journal of an earlier run of the same plan; undefined when there is none.
   *
   * @throws {RegiError} REFUSED when it is a link or device.
   */
  static async read(
    path: string,
    plan: ArchivePlan,
    volumeBytes?: number,
  ): Promise<ReadonlyMap<number, number> | undefined> {
    const bytes = await readRegular(path, JOURNAL_BYTES);
    if (bytes === undefined) return undefined;
    const [head, ...lines] = new TextDecoder().decode(bytes).split('\n');
    if (head !== headOf(plan, volumeBytes)) return undefined;
    const written = new Map<number, number>();
    for (const line of lines) {
      // The last line may have been cut in its middle.
      const [, part, size] = /^(\d{1,7}) (\d{1,16})\.$/.exec(line) ?? [];
      if (part !== undefined && size !== undefined) written.set(Number(part), Number(size));
    }
    return written;
  }

  /** Resumes a journal, or begins it. */
  static async open(
    path: string,
    plan: ArchivePlan,
    { written, volumeBytes }: JournalStart,
  ): Promise<ArchiveJournal> {
    const isNew = written === undefined;
    const file = await guarded('write', path, open(path, isNew ? 'wx' : 'a', 0o666));
    // The newline ends a line that was cut.
    const start = isNew ? `${headOf(plan, volumeBytes)}\n` : '\n';
    await guarded('write', path, file.appendFile(start));
    return new ArchiveJournal(path, file, written ?? new Map());
  }

  written(part: number): number {
    return this.#written.get(part) ?? 0;
  }

  async note(part: number, size: number): Promise<void> {
    await guarded('write', this.#path, this.#file.appendFile(`${part} ${size}.\n`));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async remove(): Promise<void> {
    await guarded('remove', this.#path, rm(this.#path, { force: true }));
  }
}

/** Two plans with one head have every byte in common, and the same output files. */
function headOf({ files, size }: ArchivePlan, volumeBytes: number | undefined): string {
  const hash = createHash('sha256');
  for (const { file, header } of files) {
    hash.update(header);
    if (file.kind === 'made') hash.update(file.bytes);
    else hash.update(file.target.digest);
  }
  return `regi archive 1 ${size}${volumeBytes === undefined ? '' : `/${volumeBytes}`} ${hash.digest('hex')}`;
}
