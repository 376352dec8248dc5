import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

import { collect } from '../bytes.ts';
import { RegiError } from '../errors.ts';
import { parseDigest, type Digest } from '../oci/digest.ts';
import { quotePath } from '../quote.ts';
import type { Bytes, CallOptions, FetchOptions } from '../store.ts';
import { errnoOf, guarded } from './errno.ts';
import { chunksOf, fileOf, type OpenFile } from './random-access.ts';

/** A file that a person named, and that becomes a blob. */
export interface LocalFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Opens its bytes, each time anew. The reader verifies that they are still those of `digest`. */
  readonly read: (options?: FetchOptions) => Bytes;
}

/**
 * Reads a file once, to learn its digest. Follows links, because a person named it.
 *
 * @param path absolute.
 * @throws {RegiError} NOT_FOUND when it is missing or a folder.
 * @throws {StorageError} when it cannot be read.
 */
export async function openLocalFile(
  path: string,
  { signal }: CallOptions = {},
): Promise<LocalFile> {
  const read = ({ offset = 0, signal: inner }: FetchOptions = {}): Bytes => ({
    async *[Symbol.asyncIterator]() {
      const file = await openFile(path);
      try {
        yield* chunksOf(file, { from: offset, signal: inner });
      } finally {
        await file.close();
      }
    },
  });
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of read({ signal })) {
    hash.update(chunk);
    size += chunk.byteLength;
  }
  return { digest: parseDigest(`sha256:${hash.digest('hex')}`), size, read };
}

/**
 * Reads a small file that a person named. Follows links, which is what Kubernetes mounts, and reads
 * pipes.
 *
 * @param path absolute.
 * @throws {StorageError} when it cannot be read.
 * @throws {LimitExceededError} when it has more than `limit` bytes.
 */
export async function readLocalFile(
  path: string,
  limit: number,
  { signal }: CallOptions = {},
): Promise<Uint8Array> {
  const file = await guarded('read', path, open(path, 'r'));
  const content = file.createReadStream({ signal });
  return guarded('read', path, collect(content, limit, quotePath(path)));
}

/** Opens a file without a size: it is read to its end, wherever that is by then. */
async function openFile(path: string): Promise<OpenFile> {
  try {
    const file = await guarded('read', path, open(path, 'r'));
    if (!(await file.stat()).isDirectory()) return fileOf(file, path, Number.MAX_SAFE_INTEGER);
    await file.close();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new RegiError('NOT_FOUND', `Cannot read ${quotePath(path)}: there is no such file`, {
      hint: 'check the spelling of the path',
      cause: error,
    });
  }
  throw new RegiError(
    'NOT_FOUND',
    `Cannot read ${quotePath(path)}: expected a file, found a folder`,
    { hint: 'pack it first: tar -czf FILE FOLDER' },
  );
}
