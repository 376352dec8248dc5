import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';

/**
 * Bytes that can be opened again: each iteration opens them anew; leaving the loop closes them.
 *
 * A chunk is borrowed: it belongs to the producer and is valid only until the next one is asked for. Whoever keeps it, or
 * hands it to something that collects (`Readable.from`, zlib, an array), copies it first with `owned()` of bytes.ts.
 */
export type Bytes = AsyncIterable<Uint8Array>;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface FetchOptions extends CallOptions {
  /** First byte wanted, from 0; for resuming. */
  readonly offset?: number | undefined;
}

export interface PushOptions extends CallOptions {
  /** A tag that names the manifest in the same step. */
  readonly tag?: string | undefined;
}

/** Reads one repository. */
export interface Source {
  /** What holds the repository: `https://registry.example:5000`, `oci:/path`. Stores of one place share lanes and may mount. */
  readonly place: string;
  /** The repository's name in its place; empty where a place holds one only. */
  readonly repository: string;
  /**
   * Finds what a tag or digest names.
   *
   * @throws {RegiError} with code NOT_FOUND when nothing has that name. Only a proven absence is NOT_FOUND.
   */
  resolve(reference: string, options?: CallOptions): Promise<Descriptor>;
  /** Opens a blob or manifest. The bytes are not yet verified: see `verified()` of bytes.ts. Errors surface while iterating. */
  fetch(target: Descriptor, options?: FetchOptions): Bytes;
  /** False only when the place says that the node is not there; any doubt is an error. */
  exists(target: Descriptor, options?: CallOptions): Promise<boolean>;
}

/** Reads and writes one repository. */
export interface Store extends Source {
  /**
   * Keeps `content` only if its size and digest are those of `expected`; nothing is visible before that is proved.
   * Pushing what is there already is no error.
   *
   * @throws {RegiError} with code CONTENT_MISMATCH when the bytes are others.
   */
  push(expected: Descriptor, content: Bytes, options?: PushOptions): Promise<void>;
  /** Names a manifest that is in this repository. */
  tag(target: Descriptor, reference: string, options?: CallOptions): Promise<void>;
}

/** Can take a blob from another repository of the same place without its bytes. */
export interface Mounter {
  /**
   * Mounts `target` from the repository `from`, or, when the place does not mount it, takes `content` instead.
   * Without `content` a blob that cannot be mounted is `refused`, and nothing is left behind.
   */
  mount(
    target: Descriptor,
    from: string,
    content: Bytes | undefined,
    options?: CallOptions,
  ): Promise<'mounted' | 'copied' | 'refused'>;
}

/** Finds out whether a blob is there in the same step in which it begins to take it. Worth it for small blobs: a doubtful answer costs its bytes. */
export interface Offerer {
  /** As `push`, and tells whether the bytes were needed. They may be read for nothing. */
  offer(target: Descriptor, content: Bytes, options?: CallOptions): Promise<'there' | 'copied'>;
}

export interface TagLister {
  /** Yields tags in the place's own order, page by page. */
  listTags(options?: CallOptions): AsyncIterable<string>;
}

export interface ReferrerOptions extends CallOptions {
  readonly artifactType?: string | undefined;
}

export interface ReferrerLister {
  /** Yields the manifests whose subject is `target`. */
  listReferrers(target: Descriptor, options?: ReferrerOptions): AsyncIterable<Descriptor>;
}

export interface Deleter {
  /** Removes a manifest, or a blob where the place allows it, by digest. */
  delete(target: Descriptor, options?: CallOptions): Promise<void>;
}

export interface Untagger {
  /** Removes one tag and nothing else. */
  untag(tag: string, options?: CallOptions): Promise<void>;
}

/** Knows a blob by its digest alone, which is all that the client of a registry has. `resolve` need only know manifests. */
export interface BlobResolver {
  /** @throws {RegiError} with code NOT_FOUND when the repository has no such blob. */
  resolveBlob(digest: Digest, options?: CallOptions): Promise<Descriptor>;
}

/**
 * Keeps what has come of a large blob whose content broke off, where the content is seekable: the next push of that blob asks for the
 * rest only.
 */
export interface PartialKeeper {
  /** Removes it, unless somebody is writing it. */
  discardPartial(target: Descriptor): Promise<void>;
}

/** Several repositories under one roof: a registry, an archive, the local store. */
export interface Place {
  readonly name: string;
  repositories(options?: CallOptions): AsyncIterable<string>;
  open(repository: string): Store;
}

export function canMount(store: Source): store is Source & Mounter {
  return has(store, 'mount');
}

export function canOffer(store: Source): store is Source & Offerer {
  return has(store, 'offer');
}

export function canListTags(store: Source): store is Source & TagLister {
  return has(store, 'listTags');
}

export function canListReferrers(store: Source): store is Source & ReferrerLister {
  return has(store, 'listReferrers');
}

export function canDelete(store: Source): store is Source & Deleter {
  return has(store, 'delete');
}

export function canUntag(store: Source): store is Source & Untagger {
  return has(store, 'untag');
}

export function canKeepPartials(store: Source): store is Source & PartialKeeper {
  return has(store, 'discardPartial');
}

export function canResolveBlobs(store: Source): store is Source & BlobResolver {
  return has(store, 'resolveBlob');
}

function has(store: object, method: string): boolean {
  return method in store && typeof store[method as keyof typeof store] === 'function';
}
