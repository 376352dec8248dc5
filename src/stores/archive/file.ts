import { randomBytes } from 'node:crypto';
import { open, rm, stat, statfs, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { LimitExceededError, owned } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Bytes, CallOptions } from '../../store.ts';
import { compressionOf, MAGIC_BYTES, unpacked } from '../../tar/decompress.ts';
import type { RandomAccess } from '../../tar/index-tar.ts';
import { abortable } from '../../abortable.ts';
import { openVolumes } from './volumes.ts';
import { fill } from '../../disk/regular-file.ts';
import { guarded, ifPresent, StorageError } from '../../disk/errno.ts';

/** An archive that can be read at any place, until it is closed. */
export interface ArchiveFile extends RandomAccess {
  /** How many files it is in, when they are several. */
  readonly volumes?: number | undefined;
  close(): Promise<void>;
}

export interface ArchiveFileOptions extends CallOptions {
  /** Where an archive is unpacked that cannot be seeked: a compressed one, a pipe. */
  readonly tempFolder: string;
  /** Standard input, for the path `-`. */
  readonly input?: Bytes | undefined;
  /** Bytes that a compressed archive may unpack to however small it is; `LIMITS.unpackedBytes` when absent. */
  readonly unpackedBytes?: number | undefined;
  /** Told once, when a copy is made. */
  readonly onUnpack?: ((reason: string) => void) | undefined;
}

/** There is no archive at a path. */
class ArchiveNotFoundError extends RegiError {
  readonly path: string;

  constructor(path: string, found: string, hint: string) {
    super(
      'NOT_FOUND',
      `Cannot open the archive ${JSON.stringify(path)}: expected a file, found ${found}`,
      {
        hint,
      },
    );
    this.path = path;
  }
}

const CHUNK_BYTES = 1024 * 1024;
/** A disk is not filled to the last byte: other programs live there too. */
const SPARE_BYTES = 64 * 1024 * 1024;

/**
 * Opens a tar to be read at any place. A plain file is read where it is. Anything else — gzip, zstd, a pipe, standard input — is
 * unpacked once into a file without a name in `tempFolder`, which the system frees however the process ends.
 *
 * @throws {ArchiveNotFoundError} when there is nothing, or a folder.
 * @throws {LimitExceededError} when a compressed archive unpacks to more than any real one.
 */
export async function openArchiveFile(
  path: string,
  options: ArchiveFileOptions,
): Promise<ArchiveFile> {
  options.signal?.throwIfAborted();
  if (path === '-') {
    if (options.input === undefined)
      throw new ArchiveNotFoundError('-', 'no standard input', 'name a file');
    return spool(options.input, path, 'it comes from standard input', options);
  }
  const volumes = await volumesInstead(path);
  if (volumes !== undefined) return unpackedVolumes(volumes, path, options);
  const handle = await ifPresent('open', path, open(path, 'r'));
  if (handle === undefined) throw new ArchiveNotFoundError(path, 'nothing', 'check the path');
  let kept = false;
  try {
    const found = await guarded('read', path, handle.stat());
    if (found.isDirectory())
      throw new ArchiveNotFoundError(
        path,
        'a folder',
        `write oci:${path} for an image layout, dir:${path} for what skopeo calls dir`,
      );
    if (!found.isFile()) return await spool(streamOf(handle, path), path, 'it is a pipe', options);
    const start = new Uint8Array(MAGIC_BYTES);
    await fill(handle, path, start, 0);
    const compression = compressionOf(start);
    if (compression !== 'none')
      return await spool(streamOf(handle, path), path, `it is packed by ${compression}`, options);
    kept = true;
    return fileOf(handle, path, found.size);
  } finally {
    if (!kept) await handle.close();
  }
}

/** What is there under a name of several files. A file of that very name comes first, unless the name is that of a volume. */
async function volumesInstead(path: string): Promise<ArchiveFile | undefined> {
  const isNumbered = /\.\d{3}$/.test(path);
  if (!isNumbered && (await ifPresent('open', path, stat(path))) !== undefined) return undefined;
  return openVolumes(path);
}

async function unpackedVolumes(
  volumes: ArchiveFile,
  path: string,
  options: ArchiveFileOptions,
): Promise<ArchiveFile> {
  let kept = false;
  try {
    const start = new Uint8Array(Math.min(MAGIC_BYTES, volumes.size));
    await volumes.read(start, 0);
    const compression = compressionOf(start);
    if (compression !== 'none')
      return await spool(chunksOf(volumes), path, `it is packed by ${compression}`, options);
    kept = true;
    return volumes;
  } finally {
    if (!kept) await volumes.close();
  }
}

function chunksOf(file: RandomAccess): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      const buffer = new Uint8Array(CHUNK_BYTES);
      for (let position = 0; position < file.size;) {
        const read = await file.read(buffer, position);
        if (read === 0) return;
        position += read;
        yield buffer.subarray(0, read);
      }
    },
  };
}

function fileOf(handle: FileHandle, path: string, size: number): ArchiveFile {
  return {
    size,
    read: (buffer, position) => fill(handle, path, buffer, position),
    close: () => handle.close(),
  };
}

/** From the handle's own position on: pipes have no other. */
function streamOf(handle: FileHandle, path: string): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      const buffer = new Uint8Array(CHUNK_BYTES);
      for (;;) {
        const { bytesRead } = await guarded(
          'read',
          path,
          handle.read(buffer, 0, buffer.byteLength, null),
        );
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    },
  };
}

async function spool(
  content: Bytes,
  path: string,
  reason: string,
  options: ArchiveFileOptions,
): Promise<ArchiveFile> {
  const { tempFolder, signal, onUnpack } = options;
  const name = join(tempFolder, `regi-archive-${randomBytes(8).toString('hex')}`);
  const handle = await guarded('write', name, open(name, 'wx+', 0o600));
  let kept = false;
  try {
    // It has no name from here on, so nobody else can open it and nothing is left behind.
    await guarded('write', name, rm(name, { force: true }));
    onUnpack?.(
      `Unpacking ${JSON.stringify(path)} into ${JSON.stringify(tempFolder)}, because ${reason}`,
    );
    const size = await fillSpool(handle, name, abortable(content, signal), options);
    kept = true;
    return fileOf(handle, path, size);
  } finally {
    if (!kept) await handle.close();
  }
}

async function fillSpool(
  handle: FileHandle,
  name: string,
  content: Bytes,
  options: ArchiveFileOptions,
): Promise<number> {
  const { tempFolder, signal, unpackedBytes = LIMITS.unpackedBytes } = options;
  const { start, rest } = await peek(content);
  const compression = compressionOf(start);
  let taken = 0;
  const counted: Bytes = {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of rest) {
        taken += chunk.byteLength;
        yield chunk;
      }
    },
  };
  let size = 0;
  let checked = -SPARE_BYTES;
  for await (const chunk of unpacked(counted, compression, { signal })) {
    if (size - checked >= SPARE_BYTES) {
      await checkSpace(tempFolder);
      checked = size;
    }
    await writeFully(handle, name, chunk, size);
    size += chunk.byteLength;
    if (compression !== 'none' && size > unpackedBytes && size > taken * LIMITS.unpackedRatio) {
      throw new LimitExceededError(
        `Cannot unpack the archive: ${taken} bytes have become more than ${size}, and images do not shrink like that`,
        {
          hint: 'unpack it yourself if you trust where it came from, and give the plain tar',
        },
      );
    }
  }
  return size;
}

async function peek(content: Bytes): Promise<{ readonly start: Uint8Array; readonly rest: Bytes }> {
  const iterator = owned(content)[Symbol.asyncIterator]();
  let start: Uint8Array = new Uint8Array();
  while (start.byteLength < MAGIC_BYTES) {
    const next = await iterator.next();
    if (next.done === true) break;
    start = Buffer.concat([start, next.value]);
  }
  const rest: Bytes = {
    async *[Symbol.asyncIterator]() {
      yield start;
      yield* { [Symbol.asyncIterator]: () => iterator };
    },
  };
  return { start, rest };
}

async function writeFully(
  handle: FileHandle,
  name: string,
  chunk: Uint8Array,
  position: number,
): Promise<void> {
  let written = 0;
  while (written < chunk.byteLength) {
    const { bytesWritten } = await guarded(
      'write',
      name,
      handle.write(chunk, written, chunk.byteLength - written, position + written),
    );
    written += bytesWritten;
  }
}

async function checkSpace(folder: string): Promise<void> {
  const { bavail, bsize } = await guarded('write', folder, statfs(folder));
  if (bavail * bsize > 2 * SPARE_BYTES) return;
  throw new StorageError('unpack the archive into', folder, 'ENOSPC', undefined);
}
