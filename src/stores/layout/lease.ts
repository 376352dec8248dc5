import { open, rm, type FileHandle } from 'node:fs/promises';

import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { parseDescriptor, type Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { readRegular } from '../../disk/regular-file.ts';
import { guarded } from '../../disk/errno.ts';
import type { TempFiles } from '../../disk/temp-files.ts';

/** The claims of one process on content that no name leads to yet. */
export interface HeldLease {
  readonly path: string;
  /** Whether its process may still be at work. */
  readonly isLive: boolean;
  readonly claims: readonly Descriptor[];
}

/**
 * What this process needs of a layout that others tidy up meanwhile: a file beside index.json with a descriptor a line, added before the
 * content is written or counted on. It ends with the process: what a dead one has claimed is litter, unless something names it.
 */
export class Lease {
  readonly #files: TempFiles;
  readonly #claimed = new Map<Digest, Promise<void>>();
  #file: Promise<{ readonly path: string; readonly handle: FileHandle }> | undefined;
  #last: Promise<void> = Promise.resolve();
  #isSettled = true;

  constructor(files: TempFiles) {
    this.#files = files;
  }

  has(digest: Digest): boolean {
    return this.#claimed.has(digest);
  }

  /** The claim is there for others to see when this resolves. */
  add(target: Descriptor): Promise<void> {
    this.#isSettled = false;
    const known = this.#claimed.get(target.digest);
    if (known !== undefined) return known;
    const { mediaType, digest, size } = target;
    const added = this.#last.then(() =>
      this.#write(`${JSON.stringify({ mediaType, digest, size })}\n`),
    );
    this.#last = added.catch(() => undefined);
    this.#claimed.set(digest, added);
    return added;
  }

  /** What was claimed has a name now. */
  settle(): void {
    this.#isSettled = true;
  }

  /** Gives the claims up. Of work that was not finished the file stays, for it tells the next that tidies up what may go at once. */
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

  async #open(): Promise<{ readonly path: string; readonly handle: FileHandle }> {
    const path = await this.#files.next();
    return { path, handle: await guarded('write', path, open(path, 'ax')) };
  }
}

/**
 * The leases of all processes.
 *
 * @throws {UnsafeFileError} when one is no plain file. @throws {LimitExceededError} when one is too large: what is not known to be free stays.
 */
export async function readLeases(files: TempFiles): Promise<readonly HeldLease[]> {
  const leases: HeldLease[] = [];
  for (const { path, isOwnerGone } of await files.list()) {
    const bytes = await readRegular(path, LIMITS.leaseBytes);
    if (bytes === undefined) continue;
    const lines = new TextDecoder().decode(bytes).split('\n');
    leases.push({
      path,
      isLive: !isOwnerGone,
      claims: lines.flatMap((line) => parseClaim(line) ?? []),
    });
  }
  return leases;
}

/** Undefined for a line that a killed process has not finished: what it was to claim was not written either. */
function parseClaim(line: string): Descriptor | undefined {
  try {
    return parseDescriptor(JSON.parse(line), 'of a lease');
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RegiError) return undefined;
    throw error;
  }
}
