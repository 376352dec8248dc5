import { collectVerified, ContentMismatchError } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { manifestTypeOf, parseManifest } from '../../oci/manifest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { formatReference, referenceIn, withDefaultTag } from '../../oci/reference.ts';
import type {
  BlobResolver,
  Bytes,
  CallOptions,
  FetchOptions,
  ReferrerLister,
  ReferrerOptions,
  Store,
  TagLister,
} from '../../store.ts';
import type { ArchiveContents } from './contents.ts';
import {
  descriptorOf,
  digestIn,
  entriesNamed,
  namesOf,
  usable,
  type LayoutEntry,
  type LayoutIndex,
} from '../layout/index-json.ts';
import { readReferrer, walkReferrers } from '../layout/referrers.ts';
import { describeNames, NotInStoreError } from '../not-found.ts';
import { AmbiguousReferenceError } from '../layout/oci-layout.ts';

/** A store that is read only: writing to it is refused. */
export type ReadOnlyStore = Store & BlobResolver & TagLister & ReferrerLister;

/** An archive or folder that is read, and cannot be changed in place. */
export function readOnlyPlaceError(place: string): RegiError {
  return new RegiError(
    'UNSUPPORTED',
    `Cannot write into ${JSON.stringify(place)}: it is read only`,
    {
      hint: 'copy to another file: archive:NEW, or to a folder: oci:DIR',
    },
  );
}

export interface ArchiveStoreOptions {
  readonly place: string;
  readonly repository: string;
  readonly contents: ArchiveContents;
  /** The names of this repository; those of `contents` are of all. */
  readonly index: LayoutIndex;
  /** Told, once a name, what an image lacks. */
  readonly onNotice?: ((message: string, hint?: string) => void) | undefined;
}

const CHUNK_BYTES = 1024 * 1024;
/** Tags that name the signatures or referrers of an image, not an image (distribution-spec 1.1, "Referrers Tag Schema"; cosign). */
const REFERRERS_TAG = /^sha(?:256|512)-[0-9a-f]{64,128}(?:\.\w+)?$/;

/** The images of an archive, read where they are. */
export class ArchiveStore implements ReadOnlyStore {
  readonly place: string;
  readonly repository: string;
  readonly #options: ArchiveStoreOptions;
  readonly #told = new Set<Digest>();

  constructor(options: ArchiveStoreOptions) {
    this.place = options.place;
    this.repository = options.repository;
    this.#options = options;
  }

  /**
   * What a name, or a digest, means. Of an index that lists many platforms and whose archive carries one (docker save writes such)
   * a name means that one, and it is said; the digest of the index still means the index.
   */
  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    const digest = digestIn(reference);
    if (digest !== undefined) return this.#resolveDigest(digest, options);
    const entry = reference === '' ? await this.#onlyEntry(options) : this.#entryNamed(reference);
    return this.#carried(descriptorOf(entry), options);
  }

  async resolveBlob(digest: Digest, { signal }: CallOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const size = this.#sizeOf(digest);
    if (size === undefined) throw this.#missing(digest);
    return { mediaType: 'application/octet-stream', digest, size };
  }

  fetch(target: Descriptor, { signal, offset = 0 }: FetchOptions = {}): Bytes {
    const { contents } = this.#options;
    const missing = (): NotInStoreError => this.#absent(target.digest);
    return {
      async *[Symbol.asyncIterator]() {
        signal?.throwIfAborted();
        const found = contents.find(target.digest);
        if (found === undefined) throw missing();
        if (found.kind === 'made') {
          // A copy: what the reader writes into a chunk stays its own affair.
          if (offset < found.bytes.byteLength) yield new Uint8Array(found.bytes.subarray(offset));
          return;
        }
        if (found.size < target.size) throw new ContentMismatchError(target, `${found.size} bytes`);
        const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(target.size - offset, 0)));
        for (let position = offset; position < target.size;) {
          signal?.throwIfAborted();
          const read = await found.file.read(
            buffer.subarray(0, Math.min(buffer.byteLength, target.size - position)),
            found.offset + position,
          );
          if (read === 0) throw new ContentMismatchError(target, `${position} bytes`);
          position += read;
          yield buffer.subarray(0, read);
        }
      },
    };
  }

  async exists(target: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return this.#sizeOf(target.digest) === target.size;
  }

  async push(): Promise<void> {
    throw readOnlyPlaceError(this.place);
  }

  async tag(): Promise<void> {
    throw readOnlyPlaceError(this.place);
  }

  async *listTags({ signal }: CallOptions = {}): AsyncIterable<string> {
    for (const name of namesOf(this.#options.index)) {
      signal?.throwIfAborted();
      yield name;
    }
  }

  async *listReferrers(
    target: Descriptor,
    { signal, artifactType }: ReferrerOptions = {},
  ): AsyncIterable<Descriptor> {
    for await (const referrer of walkReferrers(this, usable(this.#options.contents.index.entries), {
      signal,
    })) {
      if (referrer.subject !== target.digest) continue;
      if (artifactType === undefined || referrer.descriptor.artifactType === artifactType)
        yield referrer.descriptor;
    }
  }

  #entryNamed(reference: string): LayoutEntry {
    const { index } = this.#options;
    const found = entriesNamed(index, reference);
    const entries =
      found.length > 0 ? found : entriesNamed(index, fullName(reference) ?? reference);
    const [entry] = entries;
    if (entry === undefined) throw this.#missing(reference);
    if (entries.some((other) => other.digest !== entry.digest))
      throw new AmbiguousReferenceError(reference, this.place, namesOf({ ...index, entries }));
    return entry;
  }

  async #onlyEntry(options: CallOptions): Promise<LayoutEntry> {
    const { index } = this.#options;
    const named = index.entries.filter(
      ({ refName }) => refName === undefined || !REFERRERS_TAG.test(refName),
    );
    const distinct = [...new Map(named.map((entry) => [entry.digest, entry])).values()];
    const [first] = distinct;
    if (first === undefined) throw this.#missing('');
    if (distinct.length === 1) return first;
    const images: LayoutEntry[] = [];
    for (const entry of distinct)
      if ((await readReferrer(this, descriptorOf(entry), options)) === undefined)
        images.push(entry);
    const [only] = images;
    if (only === undefined || images.length > 1)
      throw new AmbiguousReferenceError('', this.place, namesOf(index));
    return only;
  }

  async #resolveDigest(digest: Digest, options: CallOptions): Promise<Descriptor> {
    const entry = this.#options.contents.index.entries.find(
      (candidate) => candidate.digest === digest,
    );
    if (entry !== undefined) return descriptorOf(entry);
    const size = this.#sizeOf(digest);
    // A blob over the limit is no manifest, whatever is in it.
    if (size === undefined || size > LIMITS.manifestBytes) throw this.#missing(digest);
    const unknown = { mediaType: 'application/octet-stream', digest, size };
    const mediaType = manifestTypeOf(
      await collectVerified(this.fetch(unknown, options), unknown, LIMITS.manifestBytes),
    );
    if (mediaType === undefined) throw this.#missing(digest);
    return { mediaType, digest, size };
  }

  async #carried(root: Descriptor, options: CallOptions): Promise<Descriptor> {
    if (!isIndexType(root.mediaType) || !(await this.exists(root, options))) return root;
    const manifest = parseManifest(
      await collectVerified(this.fetch(root, options), root, LIMITS.manifestBytes),
      root.mediaType,
    );
    if (manifest.kind !== 'index') return root;
    const images = manifest.manifests.filter((entry) => entry.platform?.os !== 'unknown');
    const carried = images.filter((entry) => this.#sizeOf(entry.digest) === entry.size);
    const [only] = carried;
    if (only === undefined || carried.length > 1 || images.length === 1) return root;
    const { mediaType, digest, size } = only;
    this.#tell(root.digest, images.length, only);
    return { mediaType, digest, size };
  }

  #tell(root: Digest, listed: number, { platform }: Descriptor): void {
    if (this.#told.has(root)) return;
    this.#told.add(root);
    const name = platform === undefined ? 'one' : formatPlatform(platform);
    this.#options.onNotice?.(
      `The archive lists ${listed} platforms and carries ${name} only, so the image is that one`,
      `the whole image has the digest ${root}`,
    );
  }

  #sizeOf(digest: Digest): number | undefined {
    const found = this.#options.contents.find(digest);
    if (found === undefined) return undefined;
    return found.kind === 'made' ? found.bytes.byteLength : found.size;
  }

  #missing(reference: string): NotInStoreError {
    return new NotInStoreError(reference, this.place, describeNames(namesOf(this.#options.index)));
  }

  #absent(digest: Digest): NotInStoreError {
    return new NotInStoreError(
      digest,
      this.place,
      'the archive lists it and does not carry it; name the platforms it has with --platform, or write the archive again',
    );
  }
}

/** `alpine:3` as archives have it: `docker.io/library/alpine:3`. */
function fullName(reference: string): string | undefined {
  const parsed = referenceIn(reference);
  return parsed && formatReference(withDefaultTag(parsed));
}
