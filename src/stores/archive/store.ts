import { collectProved } from '../../bytes.ts';
import type { OpenFile } from '../../disk/random-access.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatReference, referenceIn, withDefaultTag } from '../../oci/reference.ts';
import { quotePath } from '../../quote.ts';
import type {
  BlobResolver,
  Bytes,
  CallOptions,
  FetchOptions,
  FilePart,
  Locator,
  ReferrerLister,
  ReferrerOptions,
  ResolveOptions,
  Store,
  TagLister,
} from '../../store.ts';
import { contentOf } from '../content.ts';
import { listReferrers } from '../layout/graph.ts';
import {
  digestIn,
  entriesNamed,
  type LayoutEntry,
  type LayoutIndex,
  namesOf,
  usable,
} from '../layout/index-json.ts';
import { imageEntries, onlyImage, resolveDigest } from '../layout/resolve.ts';
import { describeNames, NotInStoreError } from '../not-found.ts';
import type { ArchiveContents } from './contents.ts';

/** A store whose `push` and `tag` are refused. */
export type ReadOnlyStore = Store & BlobResolver & Locator & TagLister & ReferrerLister;

/** Makes the error for a write to an archive or folder, which cannot be changed in place. */
export function readOnlyPlaceError(place: string): RegiError {
  return new RegiError('UNSUPPORTED', `Cannot write into ${quotePath(place)}: it is read-only`, {
    hint: 'copy to another file: archive:NEW, or to a folder: oci:DIR',
  });
}

export interface ArchiveStoreOptions {
  readonly place: string;
  readonly repository: string;
  readonly contents: ArchiveContents;
  /** The names of this repository; `contents.index` has those of all. */
  readonly index: LayoutIndex;
  /** Called once an image that lacks platforms. */
  readonly onNotice?: ((message: string, hint?: string) => void) | undefined;
}

/** The images of an archive, read in place. */
export class ArchiveStore implements ReadOnlyStore {
  readonly place: string;
  readonly repository: string;
  readonly #contents: ArchiveContents;
  readonly #index: LayoutIndex;
  readonly #onNotice: ArchiveStoreOptions['onNotice'];
  readonly #noticed = new Set<Digest>();

  constructor({ place, repository, contents, index, onNotice }: ArchiveStoreOptions) {
    this.place = place;
    this.repository = repository;
    this.#contents = contents;
    this.#index = index;
    this.#onNotice = onNotice;
  }

  /**
   * Resolves a name or digest. A name of an index of many platforms, of which the archive carries
   * one, resolves to that one, with a notice (docker save writes such archives). The digest of the
   * index resolves to the index, and so does its name with `whole`.
   */
  async resolve(reference: string, options: ResolveOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    const digest = digestIn(reference);
    const found =
      digest === undefined
        ? onlyImage(await this.#entries(reference, options), this.#index, reference, this.place)
        : await resolveDigest(this, this.#contents.index, digest, options);
    if (found === undefined) throw this.#missing(reference);
    return digest === undefined && options.whole !== true ? this.#carried(found, options) : found;
  }

  async resolveBlob(digest: Digest, { signal }: CallOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const size = this.sizeOf(digest);
    if (size === undefined) throw this.#missing(digest);
    return { mediaType: 'application/octet-stream', digest, size };
  }

  fetch(target: Descriptor, options?: FetchOptions): Bytes {
    return contentOf(target, () => this.#open(target), options);
  }

  async exists(target: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return this.sizeOf(target.digest) !== undefined;
  }

  async push(): Promise<void> {
    throw readOnlyPlaceError(this.place);
  }

  async tag(): Promise<void> {
    throw readOnlyPlaceError(this.place);
  }

  async *listTags({ signal }: CallOptions = {}): AsyncIterable<string> {
    for (const name of namesOf(this.#index)) {
      signal?.throwIfAborted();
      yield name;
    }
  }

  listReferrers(target: Descriptor, options?: ReferrerOptions): AsyncIterable<Descriptor> {
    return listReferrers(this, usable(this.#contents.index.entries), target, options);
  }

  locate(digest: Digest): readonly FilePart[] {
    const found = this.#contents.find(digest);
    return found?.file.partsOf?.(found.offset, found.size) ?? [];
  }

  /** Returns the size of a blob in bytes; undefined when it is missing. */
  sizeOf(digest: Digest): number | undefined {
    return this.#contents.find(digest)?.size;
  }

  #open(target: Descriptor): OpenFile {
    const found = this.#contents.find(target.digest);
    if (found === undefined)
      throw new NotInStoreError(
        target.digest,
        this.place,
        'the archive lists it without its content; name its platforms with --platform, or write the archive again',
      );
    const { file, offset, size } = found;
    return {
      size,
      read: (buffer, position) => file.read(buffer, offset + position),
      close: async () => undefined,
    };
  }

  async #entries(reference: string, options: CallOptions): Promise<readonly LayoutEntry[]> {
    if (reference === '') return imageEntries(this, this.#index, options);
    const found = entriesNamed(this.#index, reference);
    return found.length > 0 ? found : entriesNamed(this.#index, fullName(reference) ?? reference);
  }

  async #carried(root: Descriptor, options: CallOptions): Promise<Descriptor> {
    if (!isIndexType(root.mediaType) || !(await this.exists(root, options))) return root;
    const bytes = await collectProved(this.fetch(root, options), root, LIMITS.manifestBytes);
    const manifest = parseManifest(bytes, root.mediaType);
    if (manifest.kind !== 'index') return root;
    const images = manifest.manifests.filter((entry) => entry.platform?.os !== 'unknown');
    const carried = images.filter((entry) => this.sizeOf(entry.digest) !== undefined);
    const [only] = carried;
    if (only === undefined || carried.length > 1 || images.length === 1) return root;
    this.#notice(root.digest, images.length, only);
    const { mediaType, digest, size } = only;
    return { mediaType, digest, size };
  }

  #notice(root: Digest, listed: number, { platform }: Descriptor): void {
    if (this.#noticed.has(root)) return;
    this.#noticed.add(root);
    const name = platform === undefined ? 'one' : formatPlatform(platform);
    this.#onNotice?.(
      `The archive lists ${listed} platforms and carries only ${name}, so the image is that one`,
      `copy, push and import keep the index ${root} with --sparse`,
    );
  }

  #missing(reference: string): NotInStoreError {
    return new NotInStoreError(reference, this.place, describeNames(namesOf(this.#index)));
  }
}

/** Expands `alpine:3` to the name in archives: `docker.io/library/alpine:3`. */
function fullName(reference: string): string | undefined {
  const parsed = referenceIn(reference);
  return parsed && formatReference(withDefaultTag(parsed));
}
