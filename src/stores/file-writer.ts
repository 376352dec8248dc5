import type { FileHandle } from 'node:fs/promises';

import { guarded } from './storage-error.ts';

/** Small chunks are gathered to this size: a write of a 16 KiB TLS record costs nearly as much. A kill loses what is gathered. */
const BUFFER_BYTES = 256 * 1024;

/** Writes a file from one position on. */
export class FileWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  #position: number;
  #buffer: Buffer | undefined;
  #used = 0;

  /**
   * @param path for messages.
   * @param start where the first byte goes.
   */
  constructor(file: FileHandle, path: string, start = 0) {
    this.#file = file;
    this.#path = path;
    this.#position = start;
  }

  /** Takes a copy of what it does not write at once. @throws {StorageError} when the disk refuses. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#used + chunk.byteLength > BUFFER_BYTES) await this.flush();
    if (chunk.byteLength >= BUFFER_BYTES) return this.#put(chunk);
    this.#buffer ??= Buffer.allocUnsafe(BUFFER_BYTES);
    this.#buffer.set(chunk, this.#used);
    this.#used += chunk.byteLength;
  }

  async flush(): Promise<void> {
    if (this.#buffer === undefined || this.#used === 0) return;
    const piece = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    await this.#put(piece);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.byteLength) {
      const { bytesWritten } = await guarded('write', this.#path, this.#file.write(bytes, done, bytes.byteLength - done, this.#position));
      done += bytesWritten;
      this.#position += bytesWritten;
    }
  }
}
