import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import type {
  BlobResolver,
  Bytes,
  CallOptions,
  Deleter,
  Deletion,
  FetchOptions,
  Mounter,
  PartialKeeper,
  Prover,
  PushOptions,
  ReferrerLister,
  ReferrerOptions,
  Store,
  TagLister,
  UnnamedKeeper,
  Untagger,
} from '../../store.ts';
import { describeNames, NotInStoreError } from '../not-found.ts';
import { type FolderOptions, LayoutFolder } from './folder.ts';
import { deleteImage } from './garbage.ts';
import { listReferrers, readReferrer, referrersAmong } from './graph.ts';
import {
  digestIn,
  entriesNamed,
  type LayoutEntry,
  type LayoutIndex,
  nameOf,
  namesOf,
  usable,
  withName,
  withoutName,
  withUnnamed,
} from './index-json.ts';
import { imageEntries, onlyImage, resolveDigest } from './resolve.ts';

/** One repository of a layout, with every capability but `offer`. */
export type LayoutStore = Store &
  BlobResolver &
  Mounter &
  TagLister &
  ReferrerLister &
  Deleter &
  Untagger &
  UnnamedKeeper &
  Prover &
  PartialKeeper;

/** A tag in index.json. */
export interface TagLookup {
  /** The entries that have the tag; several may be different images. */
  readonly entries: readonly LayoutEntry[];
  /** The name in index.json, or the name that a new tag is written as. */
  readonly name: string;
}

/** How tags of one repository are names in index.json. */
export interface Naming {
  /** Empty for a whole layout. */
  readonly repository: string;
  /** Keeps an image whose last name moves to another image: without a name, as docker does. */
  readonly keepsReplaced: boolean;
  find(index: LayoutIndex, tag: string, options: CallOptions): Promise<TagLookup>;
  tags(index: LayoutIndex, options: CallOptions): Promise<Iterable<string>>;
  /** The name of an image without a tag; empty where it has none. */
  untaggedName(digest: Digest): string;
  /** Makes the error for a tag or digest that is missing. */
  missing(reference: string, tags: readonly string[]): NotInStoreError;
  /**
   * Returns the entries of other repositories, which keep their images; undefined where a deletion
   * takes all names.
   */
  foreign?(index: LayoutIndex): ReadonlySet<LayoutEntry>;
  /** Called when the repository may have lost its last tag, or never had one. */
  remember?(): void;
}

/**
 * Opens an OCI image layout folder as one repository, whose tags are the names in index.json;
 * `path` is absolute.
 *
 * Blobs are proved while they are written, and appear whole or not at all. index.json is changed
 * under the lock `.regi.lock` and replaced in one step.
 *
 * @throws {RegiError} NOT_FOUND when the layout is missing and none is to be made, UNSUPPORTED when
 *   its version is not 1.0.0, INVALID_MANIFEST when its index.json is missing or no index.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */
export async function openLayout(path: string, options: FolderOptions): Promise<LayoutStore> {
  return wholeLayout(await LayoutFolder.open(path, options));
}

/** The whole layout as one repository. */
export function wholeLayout(folder: LayoutFolder): LayoutStore {
  return new LayoutRepository(folder, {
    repository: '',
    keepsReplaced: false,
    async find(index, tag, options) {
      if (tag !== '') return { entries: entriesNamed(index, tag), name: tag };
      return { entries: await imageEntries(folder.blobs, index, options), name: '' };
    },
    tags: async (index) => namesOf(index),
    untaggedName: () => '',
    missing: (reference, tags) => new NotInStoreError(reference, folder.place, describeNames(tags)),
  });
}

/**
 * The names of one repository over the content of the whole layout. Every repository finds blobs,
 * manifests and referrers by digest, so nothing is kept twice and a mount copies nothing.
 */
export class LayoutRepository implements LayoutStore {
  readonly place: string;
  readonly repository: string;
  readonly #folder: LayoutFolder;
  readonly #naming: Naming;

  constructor(folder: LayoutFolder, naming: Naming) {
    this.place = folder.place;
    this.repository = naming.repository;
    this.#folder = folder;
    this.#naming = naming;
  }

  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    const index = await this.#folder.readIndex(options);
    const found = await this.#resolveIn(index, reference, options);
    if (found === undefined) throw await this.#missing(reference, index, options);
    return found;
  }

  async resolveBlob(digest: Digest, { signal }: CallOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const size = await this.#folder.blobs.sizeOf(digest);
    if (size === undefined) throw new NotInStoreError(digest, this.place, 'check the digest');
    return { mediaType: 'application/octet-stream', digest, size };
  }

  fetch(target: Descriptor, options?: FetchOptions): Bytes {
    return this.#folder.blobs.fetch(target, options);
  }

  exists(target: Descriptor, options?: CallOptions): Promise<boolean> {
    return this.#folder.exists(target, options);
  }

  prove(target: Descriptor, options?: CallOptions): Promise<boolean> {
    return this.#folder.prove(target, options);
  }

  async push(
    expected: Descriptor,
    content: Bytes,
    { signal, tag }: PushOptions = {},
  ): Promise<void> {
    await this.#folder.push(expected, content, { signal });
    if (tag !== undefined) return this.tag(expected, tag, { signal });
    if (!isManifestType(expected.mediaType)) return;
    // Nothing leads from an image to its referrers: without an entry in index.json they could never
    // be found again.
    if ((await readReferrer(this.#folder.blobs, expected, { signal })) !== undefined)
      await this.#name(expected, '', { signal });
    this.#naming.remember?.();
  }

  async mount(
    target: Descriptor,
    _from: string,
    content: Bytes | undefined,
    options: CallOptions = {},
  ): Promise<'mounted' | 'copied' | 'refused'> {
    if (await this.exists(target, options)) return 'mounted';
    if (content === undefined) return 'refused';
    await this.push(target, content, options);
    return 'copied';
  }

  /** Names a manifest. With an empty reference, or a digest, it is listed as an untagged image. */
  async tag(target: Descriptor, reference: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (reference === '' || digestIn(reference) !== undefined)
      return this.keepUnnamed(target, options);
    await this.#name(target, reference, options);
    this.#folder.settle();
  }

  async keepUnnamed(target: Descriptor, options: CallOptions = {}): Promise<void> {
    await this.#name(target, undefined, options);
    this.#folder.settle();
  }

  async *listTags({ signal }: CallOptions = {}): AsyncIterable<string> {
    const index = await this.#folder.readIndex({ signal });
    for (const tag of new Set(await this.#naming.tags(index, { signal }))) {
      signal?.throwIfAborted();
      yield tag;
    }
  }

  async *listReferrers(target: Descriptor, options?: ReferrerOptions): AsyncIterable<Descriptor> {
    const { entries } = await this.#folder.readIndex(options);
    yield* listReferrers(this.#folder.blobs, usable(entries), target, options);
  }

  async delete(target: Descriptor, options: CallOptions = {}): Promise<Deletion> {
    options.signal?.throwIfAborted();
    const { removed } = await deleteImage(this.#folder, target, {
      ...options,
      foreign: this.#naming.foreign?.bind(this.#naming),
      missing: (index) => this.#missing(target.digest, index, options),
    });
    this.#naming.remember?.();
    return { freedBytes: removed.reduce((sum, { size }) => sum + size, 0) };
  }

  async untag(tag: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#folder.change(options, async (index) => {
      const { name } = await this.#naming.find(index, tag, options);
      const entries = entriesNamed(index, name);
      if (entries.length === 0) throw await this.#missing(tag, index, options);
      return withoutName(index, name, await this.#referrersIn(entries, options));
    });
    this.#naming.remember?.();
  }

  discardPartial(target: Descriptor): Promise<void> {
    return this.#folder.partials.discard(target);
  }

  async #resolveIn(
    index: LayoutIndex,
    reference: string,
    options: CallOptions,
  ): Promise<Descriptor | undefined> {
    const digest = digestIn(reference);
    if (digest !== undefined) return resolveDigest(this.#folder.blobs, index, digest, options);
    const { entries } = await this.#naming.find(index, reference, options);
    return onlyImage(entries, index, reference, `${this.place} ${this.repository}`.trim());
  }

  /**
   * Gives a manifest a tag; without one, the name of an untagged image; with an empty one, no name.
   */
  async #name(target: Descriptor, tag: string | undefined, options: CallOptions): Promise<void> {
    await this.#folder.change(options, async (index) => {
      // Under the lock, because a name must not outlive its content.
      if (!(await this.#folder.holds(target)))
        throw await this.#missing(target.digest, index, options);
      const name =
        tag === undefined
          ? this.#naming.untaggedName(target.digest)
          : tag && (await this.#naming.find(index, tag, options)).name;
      if (name === '') return withUnnamed(index, target);
      return withName(index, target, name, await this.#kept(index, name, target, options));
    });
  }

  /** Returns the digests that lose `name` and stay in index.json. */
  async #kept(
    index: LayoutIndex,
    name: string,
    target: Descriptor,
    options: CallOptions,
  ): Promise<ReadonlySet<unknown>> {
    const replaced = entriesNamed(index, name);
    if (!this.#naming.keepsReplaced) return this.#referrersIn(replaced, options);
    const isNamed = (entry: LayoutEntry): boolean =>
      nameOf(entry) !== undefined && entry.refName !== name && entry.imageName !== name;
    const otherwise = new Set(index.entries.filter(isNamed).map(({ digest }) => digest));
    const digests = replaced.map(({ digest }) => digest);
    return new Set(digests.filter((digest) => digest !== target.digest && !otherwise.has(digest)));
  }

  #referrersIn(
    entries: readonly LayoutEntry[],
    options: CallOptions,
  ): Promise<ReadonlySet<unknown>> {
    return referrersAmong(this.#folder.blobs, usable(entries), options);
  }

  async #missing(
    reference: string,
    index: LayoutIndex,
    options: CallOptions,
  ): Promise<NotInStoreError> {
    return this.#naming.missing(reference, [...(await this.#naming.tags(index, options))]);
  }
}
