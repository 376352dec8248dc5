import { abortable } from '../abortable.ts';
import { collectVerified } from '../bytes.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isManifestType } from '../oci/media-types.ts';
import type {
  BlobResolver,
  Bytes,
  CallOptions,
  Deleter,
  Deletion,
  FetchOptions,
  Mounter,
  Place,
  PushOptions,
  ReferrerLister,
  ReferrerOptions,
  Store,
  TagLister,
  Untagger,
} from '../store.ts';
import { contentOf, memoryFile } from './content.ts';
import { describeNames, NotInStoreError } from './not-found.ts';
import { referrerOf } from './referrer.ts';

/** One repository in memory. */
export type MemoryStore = Store &
  BlobResolver &
  Mounter &
  TagLister &
  ReferrerLister &
  Deleter &
  Untagger;

/** Repositories in memory that mount from one another. */
export interface MemoryPlace extends Place {
  /** Opens one repository. */
  open(repository: string): MemoryStore;
}

/**
 * Makes a place that lives as long as the process. It shares nothing with another place, even of
 * the same name.
 */
export function createMemoryPlace(name = 'memory'): MemoryPlace {
  const repositories = new Map<string, MemoryRepository>();
  return {
    name,
    async *repositories({ signal }: CallOptions = {}) {
      for (const [repository, store] of repositories) {
        signal?.throwIfAborted();
        if (!store.isEmpty()) yield repository;
      }
    },
    open(repository) {
      const known = repositories.get(repository);
      if (known !== undefined) return known;
      const made = new MemoryRepository(name, repository, (other) => repositories.get(other));
      repositories.set(repository, made);
      return made;
    },
  };
}

/** Makes one repository that lives as long as the process. */
export function createMemoryStore(): MemoryStore {
  return createMemoryPlace().open('');
}

class MemoryRepository implements MemoryStore {
  readonly place: string;
  readonly repository: string;
  readonly #sibling: (repository: string) => MemoryRepository | undefined;
  readonly #contents = new Map<Digest, Uint8Array>();
  readonly #manifests = new Map<string, Descriptor>();
  readonly #tags = new Map<string, Descriptor>();

  constructor(
    place: string,
    repository: string,
    sibling: (repository: string) => MemoryRepository | undefined,
  ) {
    this.place = place;
    this.repository = repository;
    this.#sibling = sibling;
  }

  isEmpty(): boolean {
    return this.#contents.size === 0;
  }

  async resolve(reference: string, { signal }: CallOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const found = this.#tags.get(reference) ?? this.#manifests.get(reference);
    if (found === undefined) throw this.#missing(reference);
    return found;
  }

  async resolveBlob(digest: Digest, { signal }: CallOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const content = this.#contents.get(digest);
    if (content === undefined) throw this.#missing(digest);
    return (
      this.#manifests.get(digest) ?? {
        mediaType: 'application/octet-stream',
        digest,
        size: content.byteLength,
      }
    );
  }

  fetch(target: Descriptor, options?: FetchOptions): Bytes {
    return contentOf(target, () => memoryFile(this.#read(target)), options);
  }

  async exists(target: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return this.#contents.get(target.digest)?.byteLength === target.size;
  }

  async push(
    expected: Descriptor,
    content: Bytes,
    { signal, tag }: PushOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted();
    if (this.#contents.get(expected.digest)?.byteLength !== expected.size) {
      // The limit is the descriptor's own size, because this store is memory.
      const bytes = await collectVerified(abortable(content, signal), expected, expected.size);
      this.#contents.set(expected.digest, bytes);
    }
    this.#note(expected);
    if (tag !== undefined) await this.tag(expected, tag, { signal });
  }

  async tag(target: Descriptor, reference: string, { signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    this.#read(target);
    const named = bare(target);
    this.#manifests.set(target.digest, named);
    this.#tags.set(reference, named);
  }

  async mount(
    target: Descriptor,
    from: string,
    content: Bytes | undefined,
    options: CallOptions = {},
  ): Promise<'mounted' | 'copied' | 'refused'> {
    options.signal?.throwIfAborted();
    const sibling = this.#sibling(from);
    const held = sibling === undefined ? undefined : sibling.#contents.get(target.digest);
    if (held !== undefined && held.byteLength === target.size) {
      this.#contents.set(target.digest, held);
      return 'mounted';
    }
    if (content === undefined) return 'refused';
    await this.push(target, content, options);
    return 'copied';
  }

  async *listTags({ signal }: CallOptions = {}): AsyncIterable<string> {
    for (const tag of this.#tags.keys()) {
      signal?.throwIfAborted();
      yield tag;
    }
  }

  async *listReferrers(
    target: Descriptor,
    { signal, artifactType }: ReferrerOptions = {},
  ): AsyncIterable<Descriptor> {
    for (const candidate of this.#manifests.values()) {
      signal?.throwIfAborted();
      const referrer = referrerOf(this.#read(candidate), candidate);
      if (referrer?.subject !== target.digest) continue;
      if (artifactType === undefined || referrer.descriptor.artifactType === artifactType)
        yield referrer.descriptor;
    }
  }

  async delete(target: Descriptor, { signal }: CallOptions = {}): Promise<Deletion> {
    signal?.throwIfAborted();
    if (!this.#contents.delete(target.digest)) throw this.#missing(target.digest);
    this.#manifests.delete(target.digest);
    for (const [tag, named] of this.#tags)
      if (named.digest === target.digest) this.#tags.delete(tag);
    return {};
  }

  async untag(tag: string, { signal }: CallOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    if (!this.#tags.delete(tag)) throw this.#missing(tag);
  }

  #note(target: Descriptor): void {
    if (isManifestType(target.mediaType)) this.#manifests.set(target.digest, bare(target));
  }

  #read(target: Descriptor): Uint8Array {
    const content = this.#contents.get(target.digest);
    if (content === undefined) throw this.#missing(target.digest);
    return content;
  }

  #missing(reference: string): NotInStoreError {
    const name = this.repository === '' ? this.place : `${this.place}/${this.repository}`;
    return new NotInStoreError(reference, name, describeNames([...this.#tags.keys()]));
  }
}

/** Removes the annotations and platform that one parent gave a manifest. */
function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
