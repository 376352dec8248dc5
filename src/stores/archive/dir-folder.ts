import { join } from 'node:path';

import { collectVerified } from '../../bytes.ts';
import type { OpenFile } from '../../disk/random-access.ts';
import { openRegular, readRegular, statRegular } from '../../disk/regular-file.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import {
  algorithmOf,
  digestOf,
  encodedOf,
  isDigest,
  parseDigest,
  type Digest,
} from '../../oci/digest.ts';
import { parseManifest } from '../../oci/manifest.ts';
import { quotePath } from '../../quote.ts';
import type { BlobResolver, Bytes, CallOptions, FetchOptions, Store } from '../../store.ts';
import { contentOf } from '../content.ts';
import { NotInStoreError } from '../not-found.ts';
import { readOnlyPlaceError } from './store.ts';

/** One image in a folder, to be read. */
export type FolderStore = Store & BlobResolver;

/**
 * Opens a folder of skopeo's format `dir:`, to be read: one image, whose manifest is
 * `manifest.json` and whose other nodes are files named by the digits of their digest. `path` is
 * absolute.
 *
 * @throws {RegiError} NOT_FOUND when it has no manifest.json, INVALID_MANIFEST when that is no
 *   manifest.
 */
export async function openFolder(path: string, { signal }: CallOptions = {}): Promise<FolderStore> {
  signal?.throwIfAborted();
  const bytes = await readRegular(join(path, 'manifest.json'), LIMITS.manifestBytes);
  if (bytes === undefined)
    throw new RegiError(
      'NOT_FOUND',
      `Cannot open the folder ${quotePath(path)}: expected the manifest.json that skopeo writes for dir:, found none`,
      { hint: 'check the path; oci: takes an image layout, archive: a tar' },
    );
  const { mediaType } = parseManifest(bytes, undefined);
  return new DirFolder(path, { mediaType, digest: digestOf(bytes), size: bytes.byteLength });
}

class DirFolder implements FolderStore {
  readonly place: string;
  readonly repository = '';
  readonly #path: string;
  readonly #root: Descriptor;

  constructor(path: string, root: Descriptor) {
    this.place = `dir:${path}`;
    this.#path = path;
    this.#root = root;
  }

  async resolve(reference: string, options: CallOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    if (reference === '' || reference === this.#root.digest) return this.#root;
    if (!isDigest(reference))
      throw new NotInStoreError(reference, this.place, 'it holds one image, which has no name');
    const size = (await statRegular(join(this.#path, manifestName(reference))))?.size;
    if (size === undefined || size > LIMITS.manifestBytes) throw this.#missing(reference);
    const unknown = { mediaType: 'application/octet-stream', digest: reference, size };
    const content = this.fetch(unknown, options);
    const bytes = await collectVerified(content, unknown, LIMITS.manifestBytes);
    return { ...unknown, mediaType: parseManifest(bytes, undefined).mediaType };
  }

  async resolveBlob(digest: Digest, { signal }: CallOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const found = await this.#find(digest);
    if (found === undefined) throw this.#missing(digest);
    return { mediaType: 'application/octet-stream', digest, size: found.size };
  }

  fetch(target: Descriptor, options?: FetchOptions): Bytes {
    return contentOf(target, () => this.#open(target.digest), options);
  }

  async exists(target: Descriptor, { signal }: CallOptions = {}): Promise<boolean> {
    signal?.throwIfAborted();
    return (await this.#find(target.digest))?.size === target.size;
  }

  async push(): Promise<void> {
    throw readOnlyPlaceError(this.place);
  }

  async tag(): Promise<void> {
    throw readOnlyPlaceError(this.place);
  }

  async #open(digest: Digest): Promise<OpenFile> {
    const found = await this.#find(digest);
    const file = found === undefined ? undefined : await openRegular(found.path);
    if (file === undefined) throw this.#missing(digest);
    return file;
  }

  async #find(
    digest: Digest,
  ): Promise<{ readonly path: string; readonly size: number } | undefined> {
    const names =
      digest === this.#root.digest ? ['manifest.json'] : [blobName(digest), manifestName(digest)];
    for (const name of names) {
      const path = join(this.#path, name);
      const found = await statRegular(path);
      if (found !== undefined) return { path, size: found.size };
    }
    return undefined;
  }

  #missing(digest: string): NotInStoreError {
    return new NotInStoreError(
      digest,
      this.place,
      'the folder is incomplete; copy the image there again with "skopeo copy --all"',
    );
  }
}

/**
 * Only a parsed digest becomes a path. The name of another algorithm than sha256 begins with the
 * algorithm.
 */
function blobName(digest: Digest): string {
  const algorithm = algorithmOf(digest);
  return algorithm === 'sha256' ? encodedOf(digest) : `${algorithm}-${encodedOf(digest)}`;
}

function manifestName(digest: string): string {
  return `${blobName(parseDigest(digest))}.manifest.json`;
}
