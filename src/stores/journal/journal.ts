import { createHash } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Clock } from '../../clock.ts';
import { assertNever, RegiError } from '../../errors.ts';
import { parseJournalEntry, type JournalEntry, type JournalSubject } from './entry.ts';
import { makeFolder } from '../../disk/make-folder.ts';
import type { Processes } from '../../disk/processes.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { guarded, ifPresent } from '../../disk/errno.ts';

export interface JournalOptions {
  readonly clock: Pick<Clock, 'now'>;
  readonly processes: Processes;
  /** Called once, when the journal cannot be used. */
  readonly onFailure?: ((message: string) => void) | undefined;
}

/** The locations of uploads are far shorter. */
const ENTRY_BYTES = 64 * 1024;
/** Registries purge uploads after a week. */
const EXPIRY_MS = 7 * 24 * 60 * 60_000;
/** For entries of other machines, whose processes cannot be checked. */
const ELSEWHERE_EXPIRY_MS = 60 * 60_000;
const NAME = /^[0-9a-f]{64}\.json$/;

/**
 * The unfinished work of this machine: a small file for each piece, which only its user can read.
 * It has no credentials; the location of an upload may contain state that a registry has signed.
 *
 * It only saves work: where it cannot be read or written, everything works without it.
 */
export class Journal {
  readonly #folder: string;
  readonly #options: JournalOptions;
  #isBroken = false;

  /** @param folder absolute; made for the first entry. */
  constructor(folder: string, options: JournalOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /**
   * Finds the unfinished work of an earlier run; undefined when a process is at work on it, or it
   * is too old.
   */
  async find(subject: JournalSubject): Promise<JournalEntry | undefined> {
    return this.#attempt(undefined, async () => {
      const entry = await this.#read(nameOf(subject));
      return entry !== undefined &&
        sameSubject(entry.subject, subject) &&
        (await this.#isLeft(entry))
        ? entry
        : undefined;
    });
  }

  /** Records work of this process, unless another process is at work on it. */
  async write(subject: JournalSubject): Promise<void> {
    await this.#attempt(undefined, async () => {
      const name = nameOf(subject);
      const owner = await this.#options.processes.self();
      const known = await this.#read(name);
      if (known !== undefined && !(await this.#isLeft(known))) return;
      const entry: JournalEntry = { subject, owner, writtenMs: this.#options.clock.now() };
      await guarded('create', this.#folder, makeFolder(this.#folder, { mode: 0o700 }));
      const path = join(this.#folder, name);
      // Not atomic: the parser rejects half an entry, and nothing is lost.
      await guarded(
        'write',
        path,
        writeFile(path, `${JSON.stringify({ version: 1, ...entry })}\n`, { mode: 0o600 }),
      );
    });
  }

  async remove(subject: JournalSubject): Promise<void> {
    await this.#attempt(undefined, () => this.#remove(nameOf(subject)));
  }

  /** Lists entries that can be resumed or discarded; deletes unusable ones. */
  async list(): Promise<readonly JournalEntry[]> {
    return this.#attempt([], async () => {
      const left: JournalEntry[] = [];
      for (const name of (await ifPresent('read', this.#folder, readdir(this.#folder))) ?? []) {
        const entry = NAME.test(name) ? await this.#read(name) : undefined;
        if (entry !== undefined && (await this.#isLeft(entry))) left.push(entry);
      }
      return left;
    });
  }

  /** Reads an entry, and removes one that regi cannot use. */
  async #read(name: string): Promise<JournalEntry | undefined> {
    const bytes = await readRegular(join(this.#folder, name), ENTRY_BYTES);
    if (bytes === undefined) return undefined;
    const entry = parseJournalEntry(new TextDecoder().decode(bytes));
    const isOld = entry !== undefined && this.#options.clock.now() - entry.writtenMs > EXPIRY_MS;
    if (entry !== undefined && !isOld) return entry;
    await this.#remove(name);
    return undefined;
  }

  async #remove(name: string): Promise<void> {
    const path = join(this.#folder, name);
    await guarded('remove', path, rm(path, { force: true }));
  }

  async #isLeft({ owner, writtenMs }: JournalEntry): Promise<boolean> {
    if (await this.#options.processes.isGone(owner)) return true;
    const own = await this.#options.processes.self();
    if (owner.host === own.host && owner.space === own.space)
      return owner.pid === own.pid && owner.started === own.started;
    return this.#options.clock.now() - writtenMs > ELSEWHERE_EXPIRY_MS;
  }

  async #attempt<T>(otherwise: T, work: () => Promise<T>): Promise<T> {
    if (this.#isBroken) return otherwise;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      this.#isBroken = true;
      this.#options.onFailure?.(`The next run cannot resume unfinished work: ${error.message}`);
      return otherwise;
    }
  }
}

/** Names the file after its subject, so that the next run finds it directly. */
function nameOf(subject: JournalSubject): string {
  return `${createHash('sha256')
    .update(JSON.stringify(keyOf(subject)))
    .digest('hex')}.json`;
}

function sameSubject(one: JournalSubject, other: JournalSubject): boolean {
  return JSON.stringify(keyOf(one)) === JSON.stringify(keyOf(other));
}

function keyOf(subject: JournalSubject): readonly string[] {
  switch (subject.kind) {
    case 'archive':
    case 'layout':
      return [subject.kind, subject.path];
    case 'upload':
      return [subject.kind, subject.origin, subject.repository, subject.digest];
    default:
      return assertNever(subject);
  }
}
