import type { FileHandle } from 'node:fs/promises';

import { GatheredWrites } from './gathered-writes.ts';
import { guarded } from './storage-error.ts';

/** Writes a file from one position on. */
export class FileWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #gathered = new GatheredWrites((bytes) => this.#put(bytes));
  #position: number;

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
  write(chunk: Uint8Array): Promise<void> {
    return this.#gathered.write(chunk);
  }

  flush(): Promise<void> {
    return this.#gathered.flush();
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
