import type { FileHandle } from 'node:fs/promises';

import type { CallOptions } from '../store.ts';
import { guarded } from './errno.ts';

/** A file that can be read at any position. */
export interface RandomAccess {
  /** Bytes. */
  readonly size: number;
  /**
   * Fills `buffer` from `position` on, and returns the number of bytes read: fewer only at the end.
   */
  read(buffer: Uint8Array, position: number): Promise<number>;
}

/** The same, until it is closed. */
export interface OpenFile extends RandomAccess {
  /** Closes the file. Reads fail afterwards. */
  close(): Promise<void>;
}

export interface ChunkOptions extends CallOptions {
  /** First byte wanted, from 0. */
  readonly from?: number | undefined;
  /** First byte not wanted; the size of the file when absent. */
  readonly to?: number | undefined;
}

const CHUNK_BYTES = 1024 * 1024;

/** Gives random access to an open file. `path` is for messages. Closing it closes the handle. */
export function fileOf(handle: FileHandle, path: string, size: number): OpenFile {
  return {
    size,
    read: (buffer, position) => fill(handle, path, buffer, position),
    close: () => handle.close(),
  };
}

/** Yields the bytes of a range, borrowed. Ends early where the file ends. */
export async function* chunksOf(
  file: RandomAccess,
  { from = 0, to = file.size, signal }: ChunkOptions = {},
): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(0, Math.min(CHUNK_BYTES, to - from)));
  for (let position = from; position < to;) {
    signal?.throwIfAborted();
    const read = await file.read(buffer.subarray(0, to - position), position);
    if (read === 0) return;
    position += read;
    yield buffer.subarray(0, read);
  }
}

/**
 * Reads from `position` on until `buffer` is full or the file ends. Returns the number of bytes
 * read. `path` is for messages.
 */
export async function fill(
  file: FileHandle,
  path: string,
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  let used = 0;
  while (used < buffer.byteLength) {
    const reading = file.read(buffer, used, buffer.byteLength - used, position + used);
    const { bytesRead } = await guarded('read', path, reading);
    if (bytesRead === 0) break;
    used += bytesRead;
  }
  return used;
}

/**
 * Writes all bytes at `position`; at the file's own position when it is undefined, as pipes need.
 * `path` is for messages.
 */
export async function writeAt(
  file: FileHandle,
  path: string,
  bytes: Uint8Array,
  position?: number,
): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const at = position === undefined ? null : position + done;
    const writing = file.write(bytes, done, bytes.byteLength - done, at);
    done += (await guarded('write', path, writing)).bytesWritten;
  }
}
