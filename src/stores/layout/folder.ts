import { join } from 'node:path';

import { bytesOf } from '../../bytes.ts';
import { systemClock, type Clock } from '../../clock.ts';
import { writeAtomically } from '../../disk/atomic-write.ts';
import { withLock } from '../../disk/lock.ts';
import { systemProcesses, type Processes } from '../../disk/processes.ts';
import { TempFiles } from '../../disk/temp-files.ts';
import { InvalidManifestError, type Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { quotePath } from '../../quote.ts';
import type { Bytes, CallOptions } from '../../store.ts';
import { LayoutBlobs } from './blobs.ts';
import {
  asImage,
  EMPTY_INDEX,
  formatLayoutIndex,
  type LayoutIndex,
  readIndexFile,
} from './index-json.ts';
import { Lease, readLeases, type HeldLease } from './lease.ts';
import { checkMarker, createMarker, LayoutNotFoundError } from './marker.ts';
import { PartialBlobs } from './partial-blobs.ts';

/** How a layout folder is opened. */
export interface LayoutOptions extends CallOptions {
  /** Makes the layout when the folder is missing or empty. Without it, opening writes nothing. */
  readonly create?: boolean | undefined;
  /** The system's when absent. */
  readonly clock?: Clock | undefined;
  /** Called when another process holds the layout and is waited for. */
  readonly onWait?: ((message: string) => void) | undefined;
  /** Called with each entry of index.json that is no image and is left out. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /** @internal Processes of a test. */
  readonly processes?: Processes | undefined;
  /**
   * Called and awaited once, before the first partial blob is written, which the next run may
   * resume.
   */
  readonly onPartial?: (() => Promise<void>) | undefined;
  /**
   * Claims everything that is written until `close()`, because other processes remove unnamed
   * content meanwhile.
   */
  readonly isShared?: boolean | undefined;
}

export interface FolderOptions extends LayoutOptions {
  /** Reads a missing layout as an empty one. */
  readonly isOptional?: boolean | undefined;
}

/** A layout without index.json: another process is just making it, or was killed while it did. */
class MissingIndexError extends InvalidManifestError {}

/**
 * The files of one layout folder: blobs, index.json, its lock and the leases of processes. Its
 * repositories share one.
 */
export class LayoutFolder {
  readonly place: string;
  readonly clock: Clock;
  readonly blobs: LayoutBlobs;
  readonly partials: PartialBlobs;
  readonly temps: TempFiles;
  readonly #root: string;
  readonly #processes: Processes;
  readonly #onWait: LayoutOptions['onWait'];
  readonly #leases: TempFiles;
  readonly #lease: Lease | undefined;
  /** Blobs that other processes keep until `close()`. */
  readonly #confirmed = new Set<Digest>();
  #isMissing = false;

  private constructor(root: string, options: LayoutOptions) {
    const { clock = systemClock, processes = systemProcesses, onPartial } = options;
    this.place = `oci:${root}`;
    this.clock = clock;
    this.temps = new TempFiles(root, processes);
    this.partials = new PartialBlobs(root, { processes, clock, onBegin: onPartial });
    this.blobs = new LayoutBlobs(root, this.temps, this.partials);
    this.#root = root;
    this.#processes = processes;
    this.#onWait = options.onWait;
    this.#leases = new TempFiles(root, processes, 'lease');
    const claims = options.isShared === true && options.create === true;
    this.#lease = claims ? new Lease(this.#leases) : undefined;
  }

  /**
   * @param root absolute.
   * @throws as `openLayout`.
   */
  static async open(root: string, options: FolderOptions): Promise<LayoutFolder> {
    options.signal?.throwIfAborted();
    const folder = new LayoutFolder(root, options);
    if (options.create === true) await folder.#create(options);
    else await folder.#check(options.isOptional === true);
    return folder;
  }

  async #create(options: CallOptions): Promise<void> {
    await createMarker(this.#root, this.temps);
    // A process that was killed here left an empty layout without index.json.
    if ((await readIndexFile(this.#root)) === undefined)
      await this.change(options, async (index) => index);
  }

  async #check(isOptional: boolean): Promise<void> {
    try {
      await checkMarker(this.#root);
      await this.readIndex();
    } catch (error) {
      this.#isMissing =
        isOptional && (error instanceof LayoutNotFoundError || error instanceof MissingIndexError);
      if (!this.#isMissing) throw error;
    }
  }

  /** True for an optional layout that was missing when it was opened. */
  get isMissing(): boolean {
    return this.#isMissing;
  }

  /** @throws {InvalidManifestError} when index.json is missing or no index. */
  async readIndex({ signal }: CallOptions = {}): Promise<LayoutIndex> {
    signal?.throwIfAborted();
    if (this.#isMissing) return EMPTY_INDEX;
    const index = await readIndexFile(this.#root, asImage);
    if (index?.image !== undefined) this.blobs.readFromIndexFile(index.image.digest);
    if (index !== undefined) return index;
    throw new MissingIndexError(
      `Cannot read the image layout ${quotePath(this.#root)}: expected an index.json, found none`,
    );
  }

  /**
   * Reads, changes and replaces index.json under the lock. An unchanged index is not written again.
   *
   * @param then runs after it, under the same lock.
   */
  async change(
    { signal }: CallOptions,
    change: (index: LayoutIndex) => Promise<LayoutIndex>,
    then?: () => Promise<void>,
  ): Promise<void> {
    await this.#locked({ signal }, async () => {
      const before = await readIndexFile(this.#root);
      const after = await change(before ?? EMPTY_INDEX);
      if (after !== before) {
        signal?.throwIfAborted();
        const content = bytesOf(formatLayoutIndex(after));
        const path = join(this.#root, 'index.json');
        await writeAtomically(path, await this.temps.next(), content, { signal });
      }
      await then?.();
    });
  }

  /** Returns whether a blob exists, and claims it where the layout is shared. */
  async exists(target: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    if (!(await this.holds(target))) return false;
    if (this.#lease === undefined || this.#confirmed.has(target.digest)) return true;
    await this.#lease.add(target);
    // A process that removes content does so under the lock, after it has read all claims.
    await this.#locked({ signal }, async () => {});
    this.#confirmed.add(target.digest);
    return this.holds(target);
  }

  /** Returns whether a blob exists and its bytes have its digest; claims it like `exists`. */
  async prove(target: Descriptor, options: CallOptions = {}): Promise<boolean> {
    return (await this.exists(target, options)) && this.blobs.prove(target, options);
  }

  /** Returns whether a blob exists now, without a claim. */
  async holds(target: Descriptor): Promise<boolean> {
    return this.blobs.holds(target);
  }

  async push(expected: Descriptor, content: Bytes, options?: CallOptions): Promise<void> {
    await this.#lease?.add(expected);
    // Another process may be removing an existing blob at this moment.
    while ((await this.blobs.push(expected, content, options)) === 'was there')
      if (await this.exists(expected, options)) return;
  }

  /** The leases of all processes. */
  leases(): Promise<readonly HeldLease[]> {
    return readLeases(this.#leases);
  }

  /** Notes that everything claimed so far has a name. */
  settle(): void {
    this.#lease?.settle();
  }

  /** Gives up all claims. */
  async close(): Promise<void> {
    this.#confirmed.clear();
    await this.#lease?.release();
  }

  #locked<T>({ signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    const options = {
      clock: this.clock,
      processes: this.#processes,
      temps: this.temps,
      signal,
      onWait: this.#onWait,
    };
    return withLock(join(this.#root, '.regi.lock'), options, work);
  }
}
