import type { Descriptor } from '../../oci/descriptor.ts';
import { isDigest, type Digest } from '../../oci/digest.ts';
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
  PushOptions,
  ReferrerLister,
  ReferrerOptions,
  Store,
  TagLister,
  Untagger,
} from '../../store.ts';
import type { CatalogEntry, LayoutCatalog } from './catalog.ts';
import { stillNeededError } from './garbage.ts';
import { descriptorOf } from './index-json.ts';
import type { EntryName } from './names.ts';
import { describeNames, NotInStoreError } from '../not-found.ts';
import { AmbiguousReferenceError, type OciLayout } from './oci-layout.ts';

/** One repository of a layout folder, with every capability that a Store can have. */
export type LayoutRepositoryStore = Store &
  BlobResolver &
  Mounter &
  TagLister &
  ReferrerLister &
  Deleter &
  Untagger &
  PartialKeeper;

/**
 * The names of one repository over the content of the whole layout: blobs, manifests and referrers are found by their digest in
 * every repository, so that nothing is kept twice and a mount moves nothing.
 */
export class LayoutRepository implements LayoutRepositoryStore {
  readonly place: string;
  readonly repository: string;
  readonly #layout: OciLayout;
  readonly #catalog: LayoutCatalog;
  readonly #namespace: string | undefined;

  /** @param namespace the registry that a mirror's client wants it from. */
  constructor(
    layout: OciLayout,
    catalog: LayoutCatalog,
    { name, namespace }: { readonly name: string; readonly namespace: string | undefined },
  ) {
    this.place = layout.place;
    this.repository = name;
    this.#layout = layout;
    this.#catalog = catalog;
    this.#namespace = namespace;
  }

  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    if (isDigest(reference)) return this.#layout.resolve(reference, options);
    const found = await this.#find(options);
    const entries = taggedIn(found, reference);
    const [first] = entries;
    if (first === undefined) throw this.#missing(found, reference);
    if (entries.some(({ entry }) => entry.digest !== first.entry.digest)) {
      throw new AmbiguousReferenceError(
        reference,
        this.#name(),
        entries.map(({ text }) => text),
      );
    }
    return descriptorOf(first.entry);
  }

  resolveBlob(digest: Digest, options?: CallOptions): Promise<Descriptor> {
    return this.#layout.resolveBlob(digest, options);
  }

  fetch(target: Descriptor, options?: FetchOptions): Bytes {
    return this.#layout.fetch(target, options);
  }

  exists(target: Descriptor, options?: CallOptions): Promise<boolean> {
    return this.#layout.exists(target, options);
  }

  async push(
    expected: Descriptor,
    content: Bytes,
    { signal, tag }: PushOptions = {},
  ): Promise<void> {
    await this.#layout.push(expected, content, { signal });
    if (tag !== undefined) await this.tag(expected, tag, { signal });
    else if (isManifestType(expected.mediaType)) this.#catalog.keep(this.repository);
  }

  discardPartial(target: Descriptor): Promise<void> {
    return this.#layout.discardPartial(target);
  }

  async tag(target: Descriptor, reference: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (isDigest(reference)) await this.#layout.tag(target, reference, options);
    else await this.#tag(target, reference, options);
    this.#layout.settle();
  }

  async #tag(target: Descriptor, reference: string, options: CallOptions): Promise<void> {
    const found = await this.#find(options);
    const name =
      taggedIn(found, reference)[0]?.text ?? this.#catalog.nameOf(found.repository, reference);
    await this.#layout.tag(target, name, options);
  }

  async *listTags(options: CallOptions = {}): AsyncIterable<string> {
    const { names } = await this.#find(options);
    yield* new Set(names.flatMap(({ tag }) => tag ?? []));
  }

  listReferrers(target: Descriptor, options?: ReferrerOptions): AsyncIterable<Descriptor> {
    return this.#layout.listReferrers(target, options);
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

  /** Removes the names that this repository has for it. The content goes too, unless an image of another name is made of it. */
  async delete(target: Descriptor, options: CallOptions = {}): Promise<Deletion> {
    options.signal?.throwIfAborted();
    const { repository } = await this.#find(options);
    let needed = false;
    await this.#layout.change(options, async (index) => {
      const foreign = new Set(
        this.#catalog.namesOutside(index, repository).map(({ entry }) => entry),
      );
      const entries = index.entries.filter(
        (entry) => entry.digest !== target.digest || foreign.has(entry),
      );
      const after = { ...index, entries };
      needed = await this.#layout.needs(after, target.digest, options);
      if (entries.length === index.entries.length) {
        if (needed) throw stillNeededError(target.digest, this.place);
        return index;
      }
      return after;
    });
    this.#catalog.keep(this.repository);
    if (!needed) await this.#layout.discard(target.digest, options);
    return {};
  }

  async untag(tag: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const found = await this.#find(options);
    const [name] = taggedIn(found, tag);
    if (name === undefined) throw this.#missing(found, tag);
    await this.#layout.untag(name.text, options);
    this.#catalog.keep(this.repository);
  }

  #find(options: CallOptions): Promise<CatalogEntry> {
    return this.#catalog.find(this.repository, this.#namespace, options);
  }

  #name(): string {
    return `${this.place} ${this.repository}`;
  }

  #missing({ names }: CatalogEntry, reference: string): NotInStoreError {
    return new NotInStoreError(
      reference,
      this.#name(),
      describeNames(names.flatMap(({ tag }) => tag ?? [])),
    );
  }
}

function taggedIn({ names }: CatalogEntry, tag: string): readonly EntryName[] {
  return names.filter((name) => name.tag === tag);
}
