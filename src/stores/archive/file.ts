import { randomBytes } from 'node:crypto';
import { open, rm, stat, statfs, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { abortable } from '../../abortable.ts';
import { LimitExceededError, owned } from '../../bytes.ts';
import { guarded, ifPresent } from '../../disk/errno.ts';
import { chunksOf, fileOf, type RandomAccess, writeAt } from '../../disk/random-access.ts';
import { RegiError } from '../../errors.ts';
import { formatBytes } from '../../format.ts';
import { LIMITS } from '../../limits.ts';
import { quotePath } from '../../quote.ts';
import type { Bytes } from '../../store.ts';
import { compressionOf, MAGIC_BYTES, unpacked } from '../../tar/decompress.ts';
import { unpackedByProgram, type UnpackProgramOptions } from './unpack-program.ts';
import { type ArchiveFile, openVolumes } from './volumes.ts';

export interface ArchiveFileOptions extends UnpackProgramOptions {
  /** The folder where an archive without random access is unpacked: a compressed one, a pipe. */
  readonly tempFolder: string;
  /** Standard input, for the path `-`. */
  readonly input?: Bytes | undefined;
  /** Bytes that a small compressed archive may unpack to; `LIMITS.unpackedBytes` when absent. */
  readonly unpackedBytes?: number | undefined;
  /** Free bytes of a folder; the system's count when absent. */
  readonly freeBytes?: ((folder: string) => Promise<number>) | undefined;
  /** Called once, when the archive is unpacked. */
  readonly onUnpack?: ((reason: string) => void) | undefined;
}

const CHUNK_BYTES = 1024 * 1024;
/** A disk is not filled to the last byte, because other programs need it too. */
const SPARE_BYTES = 64 * 1024 * 1024;

/**
 * Opens a tar with random access. A plain file is read in place. Anything else (gzip, zstd, xz, bzip2, a
 * pipe, standard input) is unpacked once into a file without a name in `tempFolder`, which the system
 * frees however the process ends.
 *
 * @throws {RegiError} NOT_FOUND when it is missing or a folder.
 * @throws {LimitExceededError} when a compressed archive unpacks to more than any real one.
 */
export async function openArchiveFile(
  path: string,
  options: ArchiveFileOptions,
): Promise<ArchiveFile> {
  options.signal?.throwIfAborted();
  if (path === '-') {
    if (options.input === undefined) throw notFound('-', 'no standard input', 'name a file');
    return spool(options.input, path, 'it comes from standard input', options);
  }
  const volumes = await volumesInstead(path);
  if (volumes !== undefined) return plainOrUnpacked(volumes, path, options);
  const handle = await ifPresent('open', path, open(path, 'r'));
  if (handle === undefined) throw notFound(path, 'nothing', 'check the path');
  let isOpen = true;
  try {
    const found = await guarded('read', path, handle.stat());
    if (found.isDirectory())
      throw notFound(
        path,
        'a folder',
        `write oci:${path} for an image layout, dir:${path} for what skopeo calls dir`,
      );
    if (!found.isFile()) return await spool(streamOf(handle, path), path, 'it is a pipe', options);
    isOpen = false;
    const file = fileOf(handle, path, found.size);
    const partsOf: ArchiveFile['partsOf'] = (offset, size) => [{ path, offset, size }];
    return await plainOrUnpacked({ ...file, partsOf }, path, options);
  } finally {
    if (isOpen) await handle.close();
  }
}

function notFound(path: string, found: string, hint: string): RegiError {
  return new RegiError(
    'NOT_FOUND',
    `Cannot open the archive ${quotePath(path)}: expected a file, found ${found}`,
    { hint },
  );
}

/**
 * Opens the volumes of a name. A file of exactly that name comes first, unless the name is that of
 * a volume.
 */
async function volumesInstead(path: string): Promise<ArchiveFile | undefined> {
  const isNumbered = /\.\d{3}$/.test(path);
  if (!isNumbered && (await ifPresent('open', path, stat(path))) !== undefined) return undefined;
  return openVolumes(path);
}

/** Returns `file` itself when it is a plain tar; otherwise unpacks and closes it. */
async function plainOrUnpacked(
  file: ArchiveFile,
  path: string,
  options: ArchiveFileOptions,
): Promise<ArchiveFile> {
  let isPlain = false;
  try {
    const start = new Uint8Array(MAGIC_BYTES);
    await file.read(start, 0);
    const compression = compressionOf(start);
    isPlain = compression === 'none';
    if (isPlain) return file;
    return await spool(contentOfFile(file), path, `it is packed by ${compression}`, options);
  } finally {
    if (!isPlain) await file.close();
  }
}

function contentOfFile(file: RandomAccess): Bytes {
  return { [Symbol.asyncIterator]: () => chunksOf(file) };
}

/** Reads from the handle's own position on, the only one that pipes have. */
function streamOf(handle: FileHandle, path: string): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      const buffer = new Uint8Array(CHUNK_BYTES);
      for (;;) {
        const reading = handle.read(buffer, 0, buffer.byteLength, null);
        const { bytesRead } = await guarded('read', path, reading);
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
  try {
    // Without a name, no other process can open the file, and nothing is left behind.
    await guarded('write', name, rm(name, { force: true }));
    onUnpack?.(`Unpacking ${quotePath(path)} into ${quotePath(tempFolder)}, because ${reason}`);
    const size = await fillSpool(handle, name, abortable(content, signal), options);
    return fileOf(handle, path, size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function fillSpool(
  handle: FileHandle,
  name: string,
  packed: Bytes,
  options: ArchiveFileOptions,
): Promise<number> {
  const { tempFolder, signal, unpackedBytes = LIMITS.unpackedBytes } = options;
  const { freeBytes = freeBytesOf } = options;
  const { start, rest } = await peek(packed);
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
  const content =
    compression === 'xz' || compression === 'bzip2'
      ? unpackedByProgram(counted, compression, options)
      : unpacked(counted, compression, { signal });
  for await (const chunk of content) {
    if (size - checked >= SPARE_BYTES) {
      await checkSpace(tempFolder, size, freeBytes);
      checked = size;
    }
    await writeAt(handle, name, chunk, size);
    size += chunk.byteLength;
    if (compression !== 'none' && size > unpackedBytes && size > taken * LIMITS.unpackedRatio) {
      throw new LimitExceededError(
        `Cannot unpack the archive: ${taken} bytes have become more than ${size}, and images do not shrink like that`,
        { hint: 'if you trust its source, unpack it yourself, and give the plain tar' },
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

/** @param size bytes that were unpacked so far. */
async function checkSpace(
  folder: string,
  size: number,
  freeBytes: (folder: string) => Promise<number>,
): Promise<void> {
  if ((await freeBytes(folder)) > 2 * SPARE_BYTES) return;
  throw new RegiError(
    'STORAGE_FAILED',
    `Cannot unpack the archive into ${quotePath(folder)}: no space is left after ${formatBytes(size)} (ENOSPC)`,
    {
      hint: `set TMPDIR to a folder with more than ${formatBytes(size + 2 * SPARE_BYTES)} free; the archive is unpacked there`,
    },
  );
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await guarded('write', folder, statfs(folder));
  return bavail * bsize;
}
