import { randomUUID } from 'node:crypto';
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import type { Bytes } from '../store.ts';

/** The bytes of one upload in progress. */
export interface SpoolFile {
  /** Appends a copy of the chunk. */
  append(chunk: Uint8Array): Promise<void>;
  /** Everything appended so far. */
  read(): Bytes;
  /** Removes it. */
  close(): Promise<void>;
}

/** Holds uploads in progress until their digest is known. */
export interface Spool {
  /** Makes an empty file. */
  create(): Promise<SpoolFile>;
}

const SLAB_BYTES = 1024 * 1024;

/** Holds uploads in memory, for tests and small places. The sessions bound its size. */
export function memorySpool(): Spool {
  return {
    create: async () => {
      let chunks: Uint8Array[] = [];
      return {
        append: async (chunk) => {
          chunks.push(new Uint8Array(chunk));
        },
        read: () => ({
          async *[Symbol.asyncIterator]() {
            yield* chunks;
          },
        }),
        close: async () => {
          chunks = [];
        },
      };
    },
  };
}

/**
 * Holds uploads in files.
 *
 * @param where a folder, created when first needed; or a function that returns an unused path in an
 *   existing folder.
 */
export function fileSpool(where: string | (() => Promise<string>)): Spool {
  return {
    create: async () => {
      const path = await (typeof where === 'string' ? pathIn(where) : where());
      const file = await open(path, 'wx+', 0o600);
      // An unlinked file vanishes with its last handle, so that even a kill leaves nothing behind.
      await rm(path, { force: true });
      return new UnnamedFile(file);
    },
  };
}

async function pathIn(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  return join(folder, `upload-${randomUUID()}.tmp`);
}

class UnnamedFile implements SpoolFile {
  readonly #file: FileHandle;
  #size = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(chunk: Uint8Array): Promise<void> {
    let done = 0;
    while (done < chunk.byteLength) {
      const { bytesWritten } = await this.#file.write(
        chunk,
        done,
        chunk.byteLength - done,
        this.#size,
      );
      done += bytesWritten;
      this.#size += bytesWritten;
    }
  }

  read(): Bytes {
    const file = this.#file;
    const size = this.#size;
    return {
      async *[Symbol.asyncIterator]() {
        const slab = Buffer.allocUnsafeSlow(Math.min(SLAB_BYTES, size));
        let position = 0;
        while (position < size) {
          const { bytesRead } = await file.read(
            slab,
            0,
            Math.min(slab.byteLength, size - position),
            position,
          );
          if (bytesRead === 0) throw new Error(`Spool file ended at ${position} of ${size} bytes`);
          position += bytesRead;
          yield slab.subarray(0, bytesRead);
        }
      },
    };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
