import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';

import { RegiError } from '../errors.ts';
import { parseDigest, type Digest } from '../oci/digest.ts';
import type { Bytes, CallOptions, FetchOptions } from '../store.ts';
import { errnoOf, guarded, StorageError } from './errno.ts';

/** A file that a person named, and that is to become a blob. */
export interface LocalFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Its bytes, opened anew each time. That they are still those of `digest` is for the reader to prove. */
  readonly read: (options?: FetchOptions) => Bytes;
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * Reads a file once, to know its digest. Links are followed: a person named it.
 *
 * @param path absolute.
 * @throws {InputFileError} when there is no such file, or a folder.
 * @throws {StorageError} when it cannot be read.
 */
export async function openLocalFile(
  path: string,
  { signal }: CallOptions = {},
): Promise<LocalFile> {
  const read = ({ offset = 0, signal: inner }: FetchOptions = {}): Bytes => ({
    [Symbol.asyncIterator]: () => chunks(path, offset, inner),
  });
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of read({ signal })) {
    hash.update(chunk);
    size += chunk.byteLength;
  }
  return { digest: parseDigest(`sha256:${hash.digest('hex')}`), size, read };
}

async function* chunks(
  path: string,
  offset: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const file = await openFile(path);
  try {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (let position = offset; ;) {
      signal?.throwIfAborted();
      const { bytesRead } = await guarded(
        'read',
        path,
        file.read(buffer, 0, buffer.byteLength, position),
      );
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await guarded('read', path, open(path, 'r'));
    if ((await file.stat()).isDirectory()) {
      await file.close();
      throw new RegiError('NOT_FOUND', `Cannot read "${path}": expected a file, found a folder`, {
        hint: 'pack it first: tar -czf FILE FOLDER',
      });
    }
    return file;
  } catch (error) {
    if (!(error instanceof StorageError) || errnoOf(error.cause) !== 'ENOENT') throw error;
    throw new RegiError('NOT_FOUND', `Cannot read "${path}": there is no such file`, {
      hint: 'check the spelling of the path',
      cause: error,
    });
  }
}
