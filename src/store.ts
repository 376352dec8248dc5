import type { RegiError } from './errors.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import type { Repository } from './oci/reference.ts';

/**
 * Content that can be read again: each iteration opens it anew, and leaving the loop closes it.
 *
 * A chunk is borrowed: it belongs to the producer and is valid only until the next one is
 * requested. Copy it with `owned()` of bytes.ts before you keep it, or hand it to something that
 * collects (`Readable.from`, zlib, an array).
 */
export type Bytes = AsyncIterable<Uint8Array>;

/** Options of every call. */
export interface CallOptions {
  /** Aborts the call, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Spares requests for tags that lead to referrers. */
export interface ListedTags {
  /**
   * All tags that the repository has just listed. A registry without the referrers API keeps
   * referrers in tags, so it is not asked for a digest tag that it did not list.
   */
  readonly listed?: ReadonlySet<string> | undefined;
}

/** Options of a name that is resolved. */
export interface ResolveOptions extends CallOptions, ListedTags {
  /**
   * Resolves to the index where a place that carries one image of it would resolve to that image.
   */
  readonly whole?: boolean | undefined;
}

/** Options of a read. */
export interface FetchOptions extends CallOptions {
  /** Index of the first byte wanted, from 0; for resuming. */
  readonly offset?: number | undefined;
  /**
   * Reads a foreign layer that the place lacks at its own `urls`, where the place is a registry.
   * The `urls` of other media types are never used.
   */
  readonly followsUrls?: boolean | undefined;
  /** Reads a manifest although its type is unknown to regi. */
  readonly asManifest?: boolean | undefined;
}

/** Options of a write. */
export interface PushOptions extends CallOptions {
  /** Tags the manifest in the same step. */
  readonly tag?: string | undefined;
  /** Writes a manifest although its type is unknown to regi. */
  readonly asManifest?: boolean | undefined;
}

/** Reads one repository. */
export interface Source {
  /**
   * The place that holds the repository: `registry:registry.example:5000`, `oci:/path`. Stores of
   * one place share lanes and may mount.
   */
  readonly place: string;
  /** The repository's name in its place; empty where the place holds only one. */
  readonly repository: string;
  /**
   * Finds the manifest that a tag or digest names.
   *
   * @throws {RegiError} with code NOT_FOUND when nothing has that name. Only a proven absence is
   *   NOT_FOUND.
   */
  resolve(reference: string, options?: ResolveOptions): Promise<Descriptor>;
  /**
   * Opens a blob or manifest. The bytes are not verified: see `verified()` of bytes.ts. Errors
   * surface while iterating.
   */
  fetch(target: Descriptor, options?: FetchOptions): Bytes;
  /** False only when the place says that it lacks the node; any doubt is an error. */
  exists(target: Descriptor, options?: CallOptions): Promise<boolean>;
}

/** Reads and writes one repository. */
export interface Store extends Source {
  /**
   * Keeps `content` only if its size and digest are those of `expected`; nothing is visible before
   * that is proved. Pushing existing content is no error.
   *
   * @throws {RegiError} with code CONTENT_MISMATCH when size or digest differ.
   */
  push(expected: Descriptor, content: Bytes, options?: PushOptions): Promise<void>;
  /** Tags a manifest of this repository. */
  tag(target: Descriptor, reference: string, options?: CallOptions): Promise<void>;
}

/** Takes a blob from another repository of the same place without its bytes. */
export interface Mounter {
  /**
   * Mounts `target` from the repository `from`. Where the place does not mount it, pushes `content`
   * instead. Without `content` a blob that cannot be mounted is `refused`, and nothing is left
   * behind.
   */
  mount(
    target: Descriptor,
    from: string,
    content: Bytes | undefined,
    options?: CallOptions,
  ): Promise<'mounted' | 'copied' | 'refused'>;
}

/**
 * Checks for a blob in the same request that begins its upload. Worth it for small blobs: where the
 * place is not sure, their bytes are sent.
 */
export interface Offerer {
  /** Pushes like `push`, and returns whether the bytes were needed. They may be read in vain. */
  offer(target: Descriptor, content: Bytes, options?: CallOptions): Promise<'there' | 'copied'>;
}

/** Is read from several places, of which each may hold signatures that another lacks. */
export interface Mirrored {
  /** The mirrors and the registry itself. */
  alternatives(): readonly Source[];
}

/** Options of a list of names. */
export interface ListOptions extends CallOptions {
  /** Throws where the list breaks off. Without it such a list ends early, with a warning. */
  readonly whole?: boolean | undefined;
  /**
   * Called with each item of the list that is no name. Such items are left out, with one warning.
   */
  readonly onUnusable?: ((item: unknown) => void) | undefined;
}

/** Lists tags. */
export interface TagLister {
  /** Yields tags in the place's own order, page by page. */
  listTags(options?: ListOptions): AsyncIterable<string>;
}

/** Options of a list of referrers. */
export interface ReferrerOptions extends CallOptions, ListedTags {
  /** Lists only referrers of this type. */
  readonly artifactType?: string | undefined;
  /** Throws where the list breaks off. Without it such a list ends early, with a warning. */
  readonly whole?: boolean | undefined;
}

/** Lists referrers. */
export interface ReferrerLister {
  /** Yields the manifests whose subject is `target`. */
  listReferrers(target: Descriptor, options?: ReferrerOptions): AsyncIterable<Descriptor>;
}

/** The effect of a deletion. */
export interface Deletion {
  /**
   * Disk space that the deletion freed at once. Bytes; undefined where the place frees space in its
   * own time, as registries do.
   */
  readonly freedBytes?: number | undefined;
}

/** Deletes by digest. */
export interface Deleter {
  /**
   * Removes a manifest with all its tags, or a blob where the place allows it. A layout also
   * removes the content that only this manifest needed.
   *
   * @throws {RegiError} with code NOT_FOUND when the place lacks it, REFUSED when an image that
   *   stays needs it.
   */
  delete(target: Descriptor, options?: CallOptions): Promise<Deletion>;
}

/** Deletes single tags. */
export interface Untagger {
  /** Removes one tag and nothing else. */
  untag(tag: string, options?: CallOptions): Promise<void>;
}

/**
 * Finds images by its index alone: an image without a tag needs an entry of its own, or nothing
 * would lead to it. Layouts and the local store do; a registry finds every manifest by its digest.
 */
export interface UnnamedKeeper {
  /**
   * Lists an untagged image, so that it can be found and garbage collection keeps it. Listing it
   * again is no error.
   */
  keepUnnamed(target: Descriptor, options?: CallOptions): Promise<void>;
}

/**
 * Finds a blob by its digest alone, which is all that the client of a registry has. `resolve` need
 * only know manifests.
 */
export interface BlobResolver {
  /** @throws {RegiError} with code NOT_FOUND when the repository has no such blob. */
  resolveBlob(digest: Digest, options?: CallOptions): Promise<Descriptor>;
}

/** Proves stored content by its bytes, where `exists` trusts a name and a size. */
export interface Prover {
  /**
   * Reads and hashes the stored bytes of `target`. False when they are missing or damaged; the next
   * push then replaces damaged bytes. True costs no second read.
   */
  prove(target: Descriptor, options?: CallOptions): Promise<boolean>;
}

/** A range of bytes in a file of the disk. */
export interface FilePart {
  /** Of the file, absolute. */
  readonly path: string;
  /** The first byte, from 0. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** Knows which files hold its content, for messages about damage. */
export interface Locator {
  /**
   * Returns the parts of files that hold `target`, in order; none where it is missing, or was
   * unpacked.
   */
  locate(target: Digest): readonly FilePart[];
}

/**
 * Keeps the beginning of a large blob whose transfer broke off, where its content is seekable: the
 * next push of that blob reads only the rest.
 */
export interface PartialKeeper {
  /** Removes the partial blob, unless a process is writing it. */
  discardPartial(target: Descriptor): Promise<void>;
}

/** Holds repositories: a registry, a layout, an archive, the local store. */
export interface Place {
  /** The name of the place, for messages. */
  readonly name: string;
  /** Lists the repositories, page by page. */
  repositories(options?: ListOptions): AsyncIterable<string>;
  /** Opens one repository. Nothing is read yet. */
  open(repository: string): Store;
}

/**
 * Lists the repositories of one namespace, where a place has no list of all that the user may read.
 */
export interface NamespaceLister {
  /** @returns undefined where the place has no such list either. */
  repositoriesIn(namespace: string, options?: CallOptions): Promise<readonly string[] | undefined>;
}

/** An image as an archive or layout lists it: one of its names, or none. */
export interface NamedImage {
  /**
   * `docker.io/library/debian:12`, or the name as it is written there; undefined for an image
   * without a name.
   */
  readonly name: string | undefined;
  /** The tag part of the name. */
  readonly tag: string | undefined;
  /**
   * The registry and repository of a full name; undefined for bare tags, and for names that are no
   * references.
   */
  readonly repository: Repository | undefined;
  /** The entry of index.json. `resolve()` of a tag may choose one platform of it. */
  readonly root: Descriptor;
}

/** Options of a list of images. */
export interface ImageListOptions extends CallOptions {
  /** Called with the reason for each entry that cannot be read. Without it, the first is thrown. */
  readonly onUnusable?: ((error: RegiError) => void) | undefined;
}

/** Knows all images that it holds: a layout, an archive, the local store. */
export interface ImageLister {
  /** Lists every name once, and images without one, in the order of the place. */
  images(options?: ImageListOptions): Promise<readonly NamedImage[]>;
}

/** True if the place knows all its images. */
export function canListImages(place: Place): place is Place & ImageLister {
  return has(place, 'images');
}

/** True if the place may list the repositories of a namespace. */
export function canListNamespaces(place: Place): place is Place & NamespaceLister {
  return has(place, 'repositoriesIn');
}

/** True if the store can mount blobs of its place. */
export function canMount(store: Source): store is Source & Mounter {
  return has(store, 'mount');
}

/** True if the store can check for a blob while it begins an upload. */
export function canOffer(store: Source): store is Source & Offerer {
  return has(store, 'offer');
}

/** Returns the places that a store is read from: itself, unless it has mirrors. */
export function alternativesOf(store: Source): readonly Source[] {
  return isMirrored(store) ? store.alternatives() : [store];
}

function isMirrored(store: Source): store is Source & Mirrored {
  return has(store, 'alternatives');
}

/** True if the store can list its tags. */
export function canListTags(store: Source): store is Source & TagLister {
  return has(store, 'listTags');
}

/** True if the store can list referrers. */
export function canListReferrers(store: Source): store is Source & ReferrerLister {
  return has(store, 'listReferrers');
}

/** True if the store can delete manifests. */
export function canDelete(store: Source): store is Source & Deleter {
  return has(store, 'delete');
}

/** True if the store can delete a single tag. */
export function canUntag(store: Source): store is Source & Untagger {
  return has(store, 'untag');
}

/** True if the store lists images without a tag. */
export function canKeepUnnamed(store: Source): store is Source & UnnamedKeeper {
  return has(store, 'keepUnnamed');
}

/** True if the store can hash what it holds. */
export function canProve(store: Source): store is Source & Prover {
  return has(store, 'prove');
}

/** True if the store knows the files of its content. */
export function canLocate(store: Source): store is Source & Locator {
  return has(store, 'locate');
}

export function canKeepPartials(store: Source): store is Source & PartialKeeper {
  return has(store, 'discardPartial');
}

/** True if the store can find a blob by its digest. */
export function canResolveBlobs(store: Source): store is Source & BlobResolver {
  return has(store, 'resolveBlob');
}

function has(store: object, method: string): boolean {
  return method in store && typeof store[method as keyof typeof store] === 'function';
}
