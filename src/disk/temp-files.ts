import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { ProcessIdentity, Processes } from './processes.ts';
import { guarded, ifPresent, StorageError } from './errno.ts';

const NAME = /^\.regi-(\w+)\.(\d{1,15})\.(\w{1,32})\.([0-9a-f]{16})\.([0-9a-f]+)$/;

/** A file of a process. */
export interface OwnedFile {
  readonly path: string;
  /** What tells it from others of its owner. Hexadecimal. */
  readonly name: string;
  /** It is another machine's, or another container's: nobody here can ask for its owner. */
  readonly isElsewhere: boolean;
  /** Certainly: of another machine's processes nothing is certain. */
  readonly isOwnerGone: boolean;
}

/**
 * Names for files that are not finished. Each tells whose it is, so that the next run knows what a killed one has left and what
 * a living one still writes.
 */
export class TempFiles {
  readonly #folder: string;
  readonly #processes: Processes;
  readonly #kind: string;

  /** @param kind letters; files of one kind know nothing of those of another. */
  constructor(folder: string, processes: Processes, kind = 'tmp') {
    this.#folder = folder;
    this.#processes = processes;
    this.#kind = kind;
  }

  /** A name that nobody else uses. */
  async next(): Promise<string> {
    return this.named(randomBytes(8).toString('hex'));
  }

  /** The name that only this process gives. @param name hexadecimal. */
  async named(name: string): Promise<string> {
    const own = await this.#processes.self();
    return join(
      this.#folder,
      `.regi-${this.#kind}.${own.pid}.${own.started}.${machineOf(own)}.${name}`,
    );
  }

  /** Removes what processes of this machine left that are gone. */
  async sweep(): Promise<void> {
    for (const { path, isOwnerGone } of await this.list())
      if (isOwnerGone) await removeIfAllowed(path);
  }

  /** Every file of this kind. */
  async list(): Promise<readonly OwnedFile[]> {
    const own = await this.#processes.self();
    const names = (await ifPresent('read', this.#folder, readdir(this.#folder))) ?? [];
    const files: OwnedFile[] = [];
    for (const name of names) {
      const owner = parseName(name, this.#kind);
      if (owner === undefined) continue;
      const isElsewhere = owner.machine !== machineOf(own);
      const isOwnerGone =
        !isElsewhere &&
        (await this.#processes.isGone({ ...own, pid: owner.pid, started: owner.started }));
      files.push({ path: join(this.#folder, name), name: owner.name, isElsewhere, isOwnerGone });
    }
    return files;
  }
}

/** What another user left may stay: it is in nobody's way. */
async function removeIfAllowed(path: string): Promise<void> {
  try {
    await guarded('remove', path, rm(path, { force: true }));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
  }
}

interface Owner {
  readonly pid: number;
  readonly started: string;
  readonly machine: string;
  readonly name: string;
}

/** Undefined for what is no file of that kind. */
function parseName(name: string, wanted: string): Owner | undefined {
  const [, kind, pid, started, machine, own] = NAME.exec(name) ?? [];
  if (
    kind !== wanted ||
    pid === undefined ||
    started === undefined ||
    machine === undefined ||
    own === undefined
  )
    return undefined;
  return { pid: Number(pid), started, machine, name: own };
}

function machineOf({ host, space }: ProcessIdentity): string {
  return createHash('sha256').update(`${host}\0${space}`).digest('hex').slice(0, 16);
}
