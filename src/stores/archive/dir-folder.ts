import { join } from 'node:path';

import { collectVerified, ContentMismatchError } from '../../bytes.ts';
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
import type { BlobResolver, Bytes, CallOptions, FetchOptions, Store } from '../../store.ts';
import { readOnlyPlaceError } from './store.ts';
import { NotInStoreError } from '../not-found.ts';
import { openRegular, readRegular, statRegular } from '../../disk/regular-file.ts';
import { guarded } from '../../disk/errno.ts';

/** One image in a folder, to be read. */
export type FolderStore = Store & BlobResolver;

/** There is no image at a path in the form that skopeo calls `dir`. */
class FolderNotFoundError extends RegiError {
  readonly path: string;

  constructor(path: string) {
    super(
      'NOT_FOUND',
      `Cannot open the folder ${JSON.stringify(path)}: expected the manifest.json that skopeo writes for dir:, found none`,
      {
        hint: 'check the path; oci: takes an image layout, archive: a tar',
      },
    );
    this.path = path;
  }
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * Opens what skopeo writes for `dir:`, to be read: one image, whose manifest is `manifest.json` and whose other nodes are files
 * named by the digits of their digest. `path` is absolute.
 *
 * @throws {FolderNotFoundError} when there is none.
 * @throws {InvalidManifestError} when its manifest is none.
 */
export async function openFolder(path: string, { signal }: CallOptions = {}): Promise<FolderStore> {
  signal?.throwIfAborted();
  const bytes = await readRegular(join(path, 'manifest.json'), LIMITS.manifestBytes);
  if (bytes === undefined) throw new FolderNotFoundError(path);
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
    const { mediaType } = parseManifest(
      await collectVerified(this.fetch(unknown, options), unknown, LIMITS.manifestBytes),
      undefined,
    );
    return { mediaType, digest: reference, size };
  }

  async resolveBlob(digest: Digest, { signal }: CallOptions = {}): Promise<Descriptor> {
    signal?.throwIfAborted();
    const found = await this.#find(digest);
    if (found === undefined) throw this.#missing(digest);
    return { mediaType: 'application/octet-stream', digest, size: found.size };
  }

  fetch(target: Descriptor, { signal, offset = 0 }: FetchOptions = {}): Bytes {
    const open = async (): ReturnType<typeof openRegular> => {
      const found = await this.#find(target.digest);
      return found === undefined ? undefined : openRegular(found.path);
    };
    const missing = (): NotInStoreError => this.#missing(target.digest);
    return {
      async *[Symbol.asyncIterator]() {
        signal?.throwIfAborted();
        const file = await open();
        if (file === undefined) throw missing();
        try {
          const buffer = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(target.size - offset, 0)));
          for (let position = offset; position < target.size;) {
            signal?.throwIfAborted();
            const { bytesRead } = await guarded(
              'read',
              target.digest,
              file.read(buffer, 0, Math.min(buffer.byteLength, target.size - position), position),
            );
            if (bytesRead === 0) throw new ContentMismatchError(target, `${position} bytes`);
            position += bytesRead;
            yield buffer.subarray(0, bytesRead);
          }
        } finally {
          await file.close();
        }
      },
    };
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
      'the folder is not whole; copy the image there again with "skopeo copy --all"',
    );
  }
}

/** Only a parsed digest becomes a path. Digests of other algorithms than sha256 have it before them. */
function blobName(digest: Digest): string {
  const algorithm = algorithmOf(digest);
  return algorithm === 'sha256' ? encodedOf(digest) : `${algorithm}-${encodedOf(digest)}`;
}

function manifestName(digest: string): string {
  return `${blobName(parseDigest(digest))}.manifest.json`;
}
