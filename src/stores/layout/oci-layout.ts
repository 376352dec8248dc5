import { join } from 'node:path';

import { bytesOf, collectVerified } from '../../bytes.ts';
import { systemClock, type Clock } from '../../clock.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { InvalidManifestError, type Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { manifestTypeOf } from '../../oci/manifest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { quote } from '../../quote.ts';
import type {
  BlobResolver,
  Bytes,
  CallOptions,
  Deleter,
  Deletion,
  FetchOptions,
  PartialKeeper,
  PushOptions,
  ReferrerLister,
  ReferrerOptions,
  Store,
  TagLister,
  UnnamedKeeper,
  Untagger,
} from '../../store.ts';
import { writeAtomically } from '../../disk/atomic-write.ts';
import { LayoutBlobs, type StoredBlob } from './blobs.ts';
import { deleteImage } from './garbage.ts';
import {
  digestIn,
  usable,
  descriptorOf,
  EMPTY_INDEX,
  entriesNamed,
  formatLayoutIndex,
  namesOf,
  withName,
  withoutName,
  withUnnamed,
  type LayoutEntry,
  type LayoutIndex,
  readIndexFile,
} from './index-json.ts';
import { Lease, readLeases, type HeldLease } from './lease.ts';
import { withLock } from '../../disk/lock.ts';
import { checkMarker, createMarker } from './marker.ts';
import { leadsTo } from './reach.ts';
import { readReferrer, walkReferrers } from './referrers.ts';
import { describeNames, NotInStoreError } from '../not-found.ts';
import { PartialBlobs } from './partial-blobs.ts';
import { systemProcesses, type Processes } from '../../disk/processes.ts';
import { TempFiles } from '../../disk/temp-files.ts';

export type LayoutStore = Store &
  BlobResolver &
  TagLister &
  ReferrerLister &
  Deleter &
  Untagger &
  UnnamedKeeper &
  PartialKeeper;

export interface LayoutOptions extends CallOptions {
  /** Makes the layout when the folder is missing or empty. Without it nothing is written by opening. */
  readonly create?: boolean | undefined;
  /** The system's when absent. */
  readonly clock?: Clock | undefined;
  /** Told when another process holds the layout and is waited for. */
  readonly onWait?: ((message: string) => void) | undefined;
  readonly processes?: Processes | undefined;
  /** Waited for once, before a file is made that may be left for the next run. */
  readonly onPartial?: (() => Promise<void>) | undefined;
  /** Others remove what nothing names while this one is open: what is written here is claimed until `close()`. */
  readonly isShared?: boolean | undefined;
}

/** A layout that has no index.json: one that is just being made, or was made by half. */
export class MissingIndexError extends InvalidManifestError {}

/** A name that several images of a layout have. */
export class AmbiguousReferenceError extends RegiError {
  readonly reference: string;

  constructor(reference: string, place: string, names: readonly string[]) {
    const wanted = reference === '' ? 'an image' : `one image named ${quote(reference)}`;
    super(
      'USAGE',
      `Cannot choose ${wanted} in ${JSON.stringify(place)}: expected one, found several`,
      {
        hint: `name it in full, or by its digest; ${describeNames(names)}`,
      },
    );
    this.reference = reference;
  }
}

/**
 * Opens an OCI image layout folder; `path` is absolute.
 *
 * Blobs are proved while they are written and appear whole or not at all. index.json is changed under the lock `.regi.lock`
 * and replaced in one step.
 *
 * @throws {LayoutNotFoundError} when there is no layout and none is to be made.
 * @throws {UnsupportedLayoutError} when it is of another version than 1.0.0.
 * @throws {InvalidManifestError} when its index.json is missing or no index.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
export async function openLayout(path: string, options: LayoutOptions): Promise<LayoutStore> {
  options.signal?.throwIfAborted();
  const layout = new OciLayout(path, options);
  await layout.open();
  return layout;
}

/** Tags that name the signatures or referrers of an image, not an image (distribution-spec 1.1, "Referrers Tag Schema"; cosign). */
const REFERRERS_TAG = /^sha(?:256|512)-[0-9a-f]{64,128}(?:\.\w+)?$/;

/** A layout as one store, and what `layout-repository.ts` makes several of. `open()` comes first. */
export class OciLayout implements LayoutStore {
  readonly place: string;
  readonly repository = '';
  readonly #root: string;
  readonly #options: LayoutOptions;
  readonly #clock: Clock;
  readonly #processes: Processes;
  readonly #temps: TempFiles;
  readonly #partials: PartialBlobs;
  readonly #blobs: LayoutBlobs;
  readonly #leases: TempFiles;
  readonly #lease: Lease | undefined;
  /** What nobody removes before `close()`. */
  readonly #confirmed = new Set<Digest>();

  constructor(root: string, options: LayoutOptions) {
    this.place = `oci:${root}`;
    this.#root = root;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#processes = options.processes ?? systemProcesses;
    this.#temps = new TempFiles(root, this.#processes);
    this.#partials = new PartialBlobs(root, {
      processes: this.#processes,
      clock: this.#clock,
      onBegin: options.onPartial,
    });
    this.#blobs = new LayoutBlobs(root, this.#temps, this.#partials);
    this.#leases = new TempFiles(root, this.#processes, 'lease');
    this.#lease =
      options.isShared === true && options.create === true ? new Lease(this.#leases) : undefined;
  }

  async open(): Promise<void> {
    if (this.#options.create !== true) {
      await checkMarker(this.#root);
      await this.readIndex();
      return;
    }
    await createMarker(this.#root, this.#temps);
    // A process that was killed here has left a layout without index.json: an empty one.
    if ((await readIndexFile(this.#root)) === undefined)
      await this.change(this.#options, async (index) => index);
  }

  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    const index = await this.readIndex();
    const digest = digestIn(reference);
    if (digest !== undefined) return this.#resolveDigest(index, digest, options);
    if (reference === '') return this.#resolveOnly(index, options);
    const entries = entriesNamed(index, reference);
    const [entry] = entries;
    if (entry === undefined) throw this.#missing(index, reference);
    if (entries.some((other) => other.digest !== entry.digest))
      throw new AmbiguousReferenceError(reference, this.place, namesOf({ ...index, entries }));
    return descriptorOf(entry);
  }

  async resolveBlob(digest: Digest, { signal }: CallOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const size = await this.#blobs.sizeOf(digest);
    if (size === undefined) throw new NotInStoreError(digest, this.place, 'check the digest');
    return { mediaType: 'application/octet-stream', digest, size };
  }

  fetch(target: Descriptor, options?: FetchOptions): Bytes {
    return this.#blobs.fetch(target, options);
  }

  async exists(target: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    if (!(await this.holds(target))) return false;
    if (this.#lease === undefined || this.#confirmed.has(target.digest)) return true;
    await this.#lease.add(target);
    // Whoever removes things holds the lock, and knows the claims that were there before it had the lock.
    await this.#locked({ signal }, async () => {});
    this.#confirmed.add(target.digest);
    return this.holds(target);
  }

  /** Whether it is there now. Unlike `exists()` this claims nothing. */
  async holds(target: Descriptor): Promise<boolean> {
    return (await this.#blobs.sizeOf(target.digest)) === target.size;
  }

  async push(
    expected: Descriptor,
    content: Bytes,
    { signal, tag }: PushOptions = {},
  ): Promise<void> {
    await this.#lease?.add(expected);
    // What was there already may be going at this moment.
    while ((await this.#blobs.push(expected, content, { signal })) === 'was there')
      if (await this.exists(expected, { signal })) break;
    if (tag !== undefined) await this.tag(expected, tag, { signal });
    // Nothing leads from an image to its referrers: one that is not in index.json could never be found again.
    else if (
      isManifestType(expected.mediaType) &&
      (await readReferrer(this, expected, { signal })) !== undefined
    )
      await this.tag(expected, '', { signal });
  }

  /** Names a manifest. With an empty reference or a digest it is listed in index.json under no name. */
  async tag(target: Descriptor, reference: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const name = digestIn(reference) === undefined ? reference : '';
    await this.change(options, async (index) => {
      // Under the lock, for a name must not outlive what `discard()` removes beside it.
      if (!(await this.holds(target))) throw this.#missing(index, target.digest);
      if (name === '') return withUnnamed(index, target);
      return withName(
        index,
        target,
        name,
        await this.#referrersAmong(entriesNamed(index, name), options),
      );
    });
  }

  async *listTags({ signal }: CallOptions = {}): AsyncIterable<string> {
    for (const name of namesOf(await this.readIndex())) {
      signal?.throwIfAborted();
      yield name;
    }
  }

  async *listReferrers(
    target: Descriptor,
    { signal, artifactType }: ReferrerOptions = {},
  ): AsyncIterable<Descriptor> {
    const roots = usable((await this.readIndex()).entries);
    for await (const referrer of walkReferrers(this, roots, { signal })) {
      if (referrer.subject !== target.digest) continue;
      if (artifactType === undefined || referrer.descriptor.artifactType === artifactType)
        yield referrer.descriptor;
    }
  }

  async delete(target: Descriptor, options: CallOptions = {}): Promise<Deletion> {
    options.signal?.throwIfAborted();
    const { removed } = await deleteImage(this, target, { ...options, now: this.#clock.now() });
    return { freedBytes: removed.reduce((sum, { size }) => sum + size, 0) };
  }

  async keepUnnamed(target: Descriptor, options: CallOptions = {}): Promise<void> {
    await this.tag(target, '', options);
  }

  /**
   * Removes content, unless an image that index.json lists is made of it.
   *
   * @throws {NotInStoreError} when it is not there.
   */
  async discard(digest: Digest, options: CallOptions = {}): Promise<void> {
    await this.change(options, async (index) => {
      if (!(await this.needs(index, digest, options))) await this.#blobs.delete(digest);
      return index;
    });
  }

  /** Whether `index` lists that node, or an image that is made of it. */
  async needs(index: LayoutIndex, digest: Digest, options?: CallOptions): Promise<boolean> {
    return leadsTo(this, usable(index.entries), digest, options);
  }

  discardPartial(target: Descriptor): Promise<void> {
    return this.#partials.discard(target);
  }

  /** A name for a file that is not finished. What a killed process leaves under such names is removed by the next that writes. */
  nextTemp(): Promise<string> {
    return this.#temps.next();
  }

  async untag(tag: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.change(options, async (index) => {
      const entries = entriesNamed(index, tag);
      if (entries.length === 0) throw this.#missing(index, tag);
      return withoutName(index, tag, await this.#referrersAmong(entries, options));
    });
  }

  async #resolveDigest(
    index: LayoutIndex,
    digest: Digest,
    options: CallOptions,
  ): Promise<Descriptor> {
    const entry = index.entries.find((candidate) => candidate.digest === digest);
    if (entry !== undefined) return descriptorOf(entry);
    const size = await this.#blobs.sizeOf(digest);
    // A blob over the limit is no manifest, whatever is in it.
    if (size === undefined || size > LIMITS.manifestBytes) throw this.#missing(index, digest);
    const unknown = { mediaType: 'application/octet-stream', digest, size };
    const bytes = await collectVerified(
      this.fetch(unknown, options),
      unknown,
      LIMITS.manifestBytes,
    );
    const mediaType = manifestTypeOf(bytes);
    if (mediaType === undefined) throw this.#missing(index, digest);
    return { mediaType, digest, size };
  }

  async #resolveOnly(index: LayoutIndex, options: CallOptions): Promise<Descriptor> {
    const entries = index.entries.filter(
      (entry) => entry.refName === undefined || !REFERRERS_TAG.test(entry.refName),
    );
    const distinct = [...new Map(entries.map((entry) => [entry.digest, entry])).values()];
    const referrers =
      distinct.length > 1 ? await this.#referrersAmong(distinct, options) : new Set();
    const [entry, ...others] = distinct.filter((candidate) => !referrers.has(candidate.digest));
    if (entry === undefined) throw this.#missing(index, '');
    if (others.length > 0) throw new AmbiguousReferenceError('', this.place, namesOf(index));
    return descriptorOf(entry);
  }

  /** The digests of those entries that refer to another image. */
  async #referrersAmong(
    entries: readonly LayoutEntry[],
    options: CallOptions,
  ): Promise<ReadonlySet<unknown>> {
    const found = new Set<unknown>();
    for (const descriptor of usable(entries))
      if ((await readReferrer(this, descriptor, options)) !== undefined)
        found.add(descriptor.digest);
    return found;
  }

  /**
   * Reads, changes and replaces index.json while the lock is held. The same index is not written again.
   *
   * @param then runs behind it, under the same lock.
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
        await writeAtomically(
          join(this.#root, 'index.json'),
          await this.#temps.next(),
          bytesOf(formatLayoutIndex(after)),
          { signal },
        );
      }
      await then?.();
    });
  }

  /** Every blob, whether anything names it or not. */
  blobs(options?: CallOptions): AsyncIterable<StoredBlob> {
    return this.#blobs.list(options);
  }

  /** Removes blobs whatever names them; under the lock, and in this order. */
  removeBlobs(digests: Iterable<Digest>): Promise<void> {
    return this.#blobs.remove(digests);
  }

  leases(): Promise<readonly HeldLease[]> {
    return readLeases(this.#leases);
  }

  /** What was claimed until now is named. */
  settle(): void {
    this.#lease?.settle();
  }

  /** Gives up what was claimed. */
  async close(): Promise<void> {
    this.#confirmed.clear();
    await this.#lease?.release();
  }

  async #locked<T>({ signal }: CallOptions, work: () => Promise<T>): Promise<T> {
    const { onWait } = this.#options;
    const lock = {
      clock: this.#clock,
      processes: this.#processes,
      temps: this.#temps,
      signal,
      onWait,
    };
    return withLock(join(this.#root, '.regi.lock'), lock, work);
  }

  /** @throws {MissingIndexError} when there is none. @throws {InvalidManifestError} when it is no index. */
  async readIndex(): Promise<LayoutIndex> {
    const index = await readIndexFile(this.#root);
    if (index === undefined)
      throw new MissingIndexError(
        `Cannot read the image layout ${JSON.stringify(this.#root)}: expected an index.json, found none`,
      );
    return index;
  }

  #missing(index: LayoutIndex, reference: string): NotInStoreError {
    return new NotInStoreError(reference, this.place, describeNames(namesOf(index)));
  }
}
