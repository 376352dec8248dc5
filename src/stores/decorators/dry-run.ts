import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { canListTags, canProve, type CallOptions, type Store } from '../../store.ts';
import { decorate } from './decorate.ts';
import { describeNames, NotInStoreError } from '../not-found.ts';

/**
 * Makes a store that can be read, and only records writes: nothing is written and no content is
 * opened. `exists` and `resolve` behave as if the writes had been done. A mount always succeeds.
 *
 * Recorded content cannot be fetched.
 */
export function dryRun(store: Store): Store {
  const changes = new RecordedChanges(store);
  return decorate(store, {
    resolve: (reference, options) => changes.resolve(reference, options),
    exists: (target, options) => changes.exists(target, options),
    prove: (target, options) => changes.prove(target, options),
    async push(expected, _content, { signal, tag } = {}) {
      signal?.throwIfAborted();
      changes.add(expected);
      if (tag !== undefined) changes.name(expected, tag);
    },
    async tag(target, reference, { signal } = {}) {
      signal?.throwIfAborted();
      changes.name(target, reference);
    },
    async mount(target, _from, _content, { signal } = {}) {
      signal?.throwIfAborted();
      changes.add(target);
      return 'mounted';
    },
    // An offer would send a POST.
    offer: undefined,
    listTags: (options) => changes.listTags(options),
    async delete(target, options) {
      if (!(await changes.exists(target, options))) throw changes.missing(target.digest);
      changes.remove(target);
      return {};
    },
    async keepUnnamed(target, { signal } = {}) {
      signal?.throwIfAborted();
      changes.add(target);
    },
    async untag(tag, options) {
      await changes.resolve(tag, options);
      changes.unname(tag);
    },
  });
}

class RecordedChanges {
  readonly #store: Store;
  readonly #added = new Map<string, Descriptor>();
  readonly #removed = new Set<Digest>();
  /** Undefined stands for a removed name. */
  readonly #names = new Map<string, Descriptor | undefined>();

  constructor(store: Store) {
    this.#store = store;
  }

  add(target: Descriptor): void {
    this.#added.set(target.digest, target);
    this.#removed.delete(target.digest);
  }

  remove(target: Descriptor): void {
    this.#added.delete(target.digest);
    this.#removed.add(target.digest);
    for (const [name, named] of this.#names)
      if (named?.digest === target.digest) this.#names.set(name, undefined);
  }

  name(target: Descriptor, reference: string): void {
    this.#names.set(reference, target);
  }

  unname(reference: string): void {
    this.#names.set(reference, undefined);
  }

  async exists(target: Descriptor, options?: CallOptions): Promise<boolean> {
    options?.signal?.throwIfAborted();
    if (this.#removed.has(target.digest)) return false;
    return this.#added.has(target.digest) || (await this.#store.exists(target, options));
  }

  async prove(target: Descriptor, options?: CallOptions): Promise<boolean> {
    if (this.#added.has(target.digest) || !canProve(this.#store))
      return this.exists(target, options);
    return !this.#removed.has(target.digest) && this.#store.prove(target, options);
  }

  async resolve(reference: string, options?: CallOptions): Promise<Descriptor> {
    options?.signal?.throwIfAborted();
    if (this.#names.has(reference)) {
      const named = this.#names.get(reference);
      if (named === undefined) throw this.missing(reference);
      return named;
    }
    const added = this.#added.get(reference);
    if (added !== undefined && isManifestType(added.mediaType)) return added;
    const found = await this.#store.resolve(reference, options);
    if (this.#removed.has(found.digest)) throw this.missing(reference);
    return found;
  }

  async *listTags(options?: CallOptions): AsyncIterable<string> {
    if (canListTags(this.#store)) {
      for await (const tag of this.#store.listTags(options))
        if (!this.#names.has(tag) && !(await this.#isGone(tag, options))) yield tag;
    }
    for (const [name, named] of this.#names) if (named !== undefined) yield name;
  }

  missing(reference: string): NotInStoreError {
    const names = [...this.#names].filter(([, named]) => named !== undefined).map(([name]) => name);
    return new NotInStoreError(
      reference,
      this.#store.place,
      names.length > 0 ? describeNames(names) : 'the dry run removed it; run without --dry-run',
    );
  }

  async #isGone(tag: string, options?: CallOptions): Promise<boolean> {
    if (this.#removed.size === 0) return false;
    return this.#removed.has((await this.#store.resolve(tag, options)).digest);
  }
}
