import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { guarded, ifPresent, StorageError } from './errno.ts';
import type { ProcessIdentity, Processes } from './processes.ts';

const NAME = /^\.regi-(\w+)\.(\d{1,15})\.(\w{1,32})\.([0-9a-f]{16})\.([0-9a-f]+)$/;

/** A file of a process. */
export interface OwnedFile {
  readonly path: string;
  /** The part of its name that its owner chose. Hexadecimal. */
  readonly name: string;
  /** Its owner is this process. */
  readonly isOwn: boolean;
  /** Its owner is on another machine or in another container, where its state is unknown. */
  readonly isElsewhere: boolean;
  /** True only when the owner has certainly ended. */
  readonly isOwnerGone: boolean;
}

/**
 * Names of unfinished files. Each contains its owner, so that the next run knows which files a
 * killed process left, and which a living one still writes.
 */
export class TempFiles {
  readonly #folder: string;
  readonly #processes: Processes;
  readonly #kind: string;

  /** @param kind letters; lists and sweeps see the files of one kind only. */
  constructor(folder: string, processes: Processes, kind = 'tmp') {
    this.#folder = folder;
    this.#processes = processes;
    this.#kind = kind;
  }

  /** Returns an unused path. */
  async next(): Promise<string> {
    return this.named(randomBytes(8).toString('hex'));
  }

  /** Returns this process's path for a name. @param name hexadecimal. */
  async named(name: string): Promise<string> {
    const own = await this.#processes.self();
    return join(
      this.#folder,
      `.regi-${this.#kind}.${own.pid}.${own.started}.${machineOf(own)}.${name}`,
    );
  }

  /** Removes the files of ended processes of this machine. */
  async sweep(): Promise<void> {
    for (const { path, isOwnerGone } of await this.list())
      if (isOwnerGone) await removeIfAllowed(path);
  }

  /** Lists every file of this kind. */
  async list(): Promise<readonly OwnedFile[]> {
    const own = await this.#processes.self();
    const names = (await ifPresent('read', this.#folder, readdir(this.#folder))) ?? [];
    const files: OwnedFile[] = [];
    for (const entry of names) {
      const [, kind, pid, started = '', machine, name = ''] = NAME.exec(entry) ?? [];
      if (kind !== this.#kind) continue;
      const isElsewhere = machine !== machineOf(own);
      const owner = { ...own, pid: Number(pid), started };
      const isOwn = !isElsewhere && owner.pid === own.pid && started === own.started;
      const isOwnerGone = !isElsewhere && (await this.#processes.isGone(owner));
      files.push({ path: join(this.#folder, entry), name, isOwn, isElsewhere, isOwnerGone });
    }
    return files;
  }
}

/** Leaves the files of another user, which harm nothing. */
async function removeIfAllowed(path: string): Promise<void> {
  try {
    await guarded('remove', path, rm(path, { force: true }));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
  }
}

function machineOf({ host, space }: ProcessIdentity): string {
  return createHash('sha256').update(`${host}\0${space}`).digest('hex').slice(0, 16);
}
