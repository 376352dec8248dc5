import type { Descriptor } from '../../oci/descriptor.ts';
import { isDigest, type Digest } from '../../oci/digest.ts';
import { familiarReference, parseTag, referenceIn, type Repository } from '../../oci/reference.ts';
import type {
  BlobResolver,
  Bytes,
  CallOptions,
  FetchOptions,
  Mounter,
  PushOptions,
  ReferrerLister,
  ReferrerOptions,
  Store,
  TagLister,
  UnnamedKeeper,
  Untagger,
} from '../../store.ts';
import {
  descriptorOf,
  EMPTY_INDEX,
  entriesNamed,
  nameOf,
  withName,
  type LayoutIndex,
} from './index-json.ts';
import { LOCAL_STORE, NotInStoreError } from '../not-found.ts';
import type { OciLayout } from './oci-layout.ts';

/** One repository of the local store. */
export class LocalRepository
  implements Store, BlobResolver, Mounter, TagLister, ReferrerLister, UnnamedKeeper, Untagger
{
  readonly place: string;
  readonly repository: string;
  readonly #layout: OciLayout;
  readonly #named: Repository;
  readonly #readIndex: (options: CallOptions) => Promise<LayoutIndex>;

  /** @param readIndex gives `EMPTY_INDEX` itself for a store that is not there yet. */
  constructor(
    layout: OciLayout,
    repository: Repository,
    readIndex: (options: CallOptions) => Promise<LayoutIndex>,
  ) {
    this.place = layout.place;
    this.repository = `${repository.domain}/${repository.path}`;
    this.#layout = layout;
    this.#named = repository;
    this.#readIndex = readIndex;
  }

  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    const index = await this.#readIndex(options);
    if (isDigest(reference)) return this.#resolveDigest(index, reference, options);
    const [entry] = entriesNamed(index, this.#nameOf(reference));
    return entry === undefined ? this.#absent(reference) : descriptorOf(entry);
  }

  /** What a digest means that no name leads to may still be there. */
  async #resolveDigest(
    index: LayoutIndex,
    digest: Digest,
    options: CallOptions,
  ): Promise<Descriptor> {
    if (index === EMPTY_INDEX) return this.#absent(digest);
    try {
      return await this.#layout.resolve(digest, options);
    } catch (error) {
      if (error instanceof NotInStoreError) return this.#absent(digest);
      throw error;
    }
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
  }

  /** All repositories share one content: who waits for another image to bring a blob need not write it too. */
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

  /**
   * Names a manifest; with a digest it is kept as `repository@digest`. What had the name before stays without one until it is pruned, as
   * docker does it.
   */
  async tag(target: Descriptor, reference: string, options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const name = this.#nameOf(reference);
    await this.#layout.change(options, async (index) => {
      // Under the lock, for a name must not outlive what is removed meanwhile.
      if (!(await this.#layout.holds(target))) return this.#absent(target.digest);
      const others = new Set(
        index.entries.flatMap((entry) =>
          nameOf(entry) === undefined || isNamed(entry, name) ? [] : [entry.digest],
        ),
      );
      const kept = new Set(
        entriesNamed(index, name).flatMap(({ digest }) =>
          digest === target.digest || others.has(digest) ? [] : [digest],
        ),
      );
      return withName(index, target, name, kept);
    });
    this.#layout.settle();
  }

  /** Keeps an image as `repository@digest`. */
  keepUnnamed(target: Descriptor, options?: CallOptions): Promise<void> {
    return this.tag(target, target.digest, options);
  }

  async *listTags(options: CallOptions = {}): AsyncIterable<string> {
    for (const { imageName } of (await this.#readIndex(options)).entries) {
      options.signal?.throwIfAborted();
      const tag = imageName === undefined ? undefined : this.#tagIn(imageName);
      if (tag !== undefined) yield tag;
    }
  }

  listReferrers(target: Descriptor, options?: ReferrerOptions): AsyncIterable<Descriptor> {
    return this.#layout.listReferrers(target, options);
  }

  untag(tag: string, options?: CallOptions): Promise<void> {
    return this.#layout.untag(this.#nameOf(tag), options);
  }

  #nameOf(reference: string): string {
    return isDigest(reference)
      ? `${this.repository}@${reference}`
      : `${this.repository}:${reference}`;
  }

  #tagIn(name: string): string | undefined {
    const found = referenceIn(name);
    return found?.domain === this.#named.domain && found.path === this.#named.path
      ? found.tag
      : undefined;
  }

  #absent(reference: string): never {
    const named = isDigest(reference)
      ? { ...this.#named, digest: reference }
      : { ...this.#named, tag: parseTag(reference) };
    const name = familiarReference(named);
    throw new NotInStoreError(
      name,
      LOCAL_STORE,
      `type: regi pull ${name}; regi images lists what is there`,
    );
  }
}

function isNamed(
  {
    imageName,
    refName,
  }: { readonly imageName: string | undefined; readonly refName: string | undefined },
  name: string,
): boolean {
  return imageName === name || refName === name;
}
