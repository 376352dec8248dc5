import { open, rm, type FileHandle } from 'node:fs/promises';

import { guarded } from '../../disk/errno.ts';
import { readRegular } from '../../disk/regular-file.ts';
import type { TempFiles } from '../../disk/temp-files.ts';
import { RegiError } from '../../errors.ts';
import { tryParseJson } from '../../json.ts';
import { LIMITS } from '../../limits.ts';
import { parseDescriptor, type Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';

/** The claims of one process on content that has no name yet. */
export interface HeldLease {
  readonly path: string;
  /** It is this process's. */
  readonly isOwn: boolean;
  /** True unless its process has certainly ended. */
  readonly isLive: boolean;
  readonly claims: readonly Descriptor[];
}

interface LeaseFile {
  readonly path: string;
  readonly handle: FileHandle;
}

/**
 * The claims of this process on a layout that other processes tidy up meanwhile: a file beside
 * index.json with a descriptor a line, added before content is written or counted on. It ends with
 * its process: unnamed content of an ended one is garbage.
 */
export class Lease {
  readonly #files: TempFiles;
  readonly #claimed = new Map<Digest, Promise<void>>();
  #file: Promise<LeaseFile> | undefined;
  #last: Promise<void> = Promise.resolve();
  #isSettled = true;

  constructor(files: TempFiles) {
    this.#files = files;
  }

  /** Resolves when other processes see the claim. */
  add({ mediaType, digest, size }: Descriptor): Promise<void> {
    this.#isSettled = false;
    const known = this.#claimed.get(digest);
    if (known !== undefined) return known;
    const line = `${JSON.stringify({ mediaType, digest, size })}\n`;
    const added = this.#last.then(() => this.#write(line));
    this.#last = added.catch(() => undefined);
    this.#claimed.set(digest, added);
    return added;
  }

  /** Notes that everything claimed so far has a name. */
  settle(): void {
    this.#isSettled = true;
  }

  /**
   * Gives up the claims. The file of unfinished work stays, so that the next prune knows what may
   * go at once.
   */
  async release(): Promise<void> {
    await this.#last;
    const file = await this.#file;
    this.#file = undefined;
    this.#claimed.clear();
    if (file === undefined) return;
    await file.handle.close();
    if (this.#isSettled) await rm(file.path, { force: true });
  }

  async #write(line: string): Promise<void> {
    this.#file ??= this.#open();
    const { handle, path } = await this.#file;
    await guarded('write', path, handle.appendFile(line));
  }

  async #open(): Promise<LeaseFile> {
    const path = await this.#files.next();
    return { path, handle: await guarded('write', path, open(path, 'ax')) };
  }
}

/**
 * Reads the leases of all processes.
 *
 * @throws {RegiError} REFUSED when one is no plain file, LIMIT_EXCEEDED when one is too large:
 *   content stays unless it is known to be free.
 */
export async function readLeases(files: TempFiles): Promise<readonly HeldLease[]> {
  const leases: HeldLease[] = [];
  for (const { path, isOwn, isOwnerGone } of await files.list()) {
    const bytes = await readRegular(path, LIMITS.leaseBytes);
    if (bytes === undefined) continue;
    const lines = new TextDecoder().decode(bytes).split('\n');
    const claims = lines.flatMap((line) => parseClaim(line) ?? []);
    leases.push({ path, isOwn, isLive: !isOwnerGone, claims });
  }
  return leases;
}

/**
 * Undefined for a line that a killed process has not finished: it had not written the content
 * either.
 */
function parseClaim(line: string): Descriptor | undefined {
  try {
    return parseDescriptor(tryParseJson(line), 'of a lease');
  } catch (error) {
    if (error instanceof RegiError) return undefined;
    throw error;
  }
}
