import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { ProcessIdentity, Processes } from './processes.ts';
import { guarded, ifPresent, StorageError } from './storage-error.ts';

const NAME = /^\.regi-tmp\.(\d{1,15})\.(\w{1,32})\.([0-9a-f]{16})\.[0-9a-f]+$/;

/**
 * Names for files that are not finished. Each tells whose it is, so that the next run knows what a killed one has left and what
 * a living one still writes.
 */
export class TempFiles {
  readonly #folder: string;
  readonly #processes: Processes;

  constructor(folder: string, processes: Processes) {
    this.#folder = folder;
    this.#processes = processes;
  }

  /** A name that nobody else uses. */
  async next(): Promise<string> {
    const own = await this.#processes.self();
    return join(this.#folder, `.regi-tmp.${own.pid}.${own.started}.${machineOf(own)}.${randomBytes(8).toString('hex')}`);
  }

  /** Removes what processes of this machine left that are gone. */
  async sweep(): Promise<void> {
    const own = await this.#processes.self();
    const names = (await ifPresent('read', this.#folder, readdir(this.#folder))) ?? [];
    for (const name of names) {
      const owner = parseName(name, own);
      if (owner === undefined || !(await this.#processes.isGone(owner))) continue;
      await removeIfAllowed(join(this.#folder, name));
    }
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

/** Undefined for what is no temp file, and for one of another machine: who owns that cannot be asked from here. */
function parseName(name: string, own: ProcessIdentity): ProcessIdentity | undefined {
  const [, pid, started, machine] = NAME.exec(name) ?? [];
  if (pid === undefined || started === undefined || machine !== machineOf(own)) return undefined;
  return { ...own, pid: Number(pid), started };
}

function machineOf({ host, space }: ProcessIdentity): string {
  return createHash('sha256').update(`${host}\0${space}`).digest('hex').slice(0, 16);
}
