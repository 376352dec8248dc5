import type { ArchiveOutput } from './archive-output.ts';
import { GatheredWrites } from './gathered-writes.ts';

/** The place of one content in a file that others write to as well. A byte outside is a bug, and is not written. */
export class ArchiveWindow {
  readonly #output: ArchiveOutput;
  readonly #offset: number;
  readonly #size: number;
  readonly #gathered: GatheredWrites;
  #written: number;

  /** @param start bytes that are there already. */
  constructor(output: ArchiveOutput, { offset, size, start }: { readonly offset: number; readonly size: number; readonly start: number }) {
    this.#output = output;
    this.#offset = offset;
    this.#size = size;
    this.#written = start;
    this.#gathered = new GatheredWrites((bytes) => this.#put(bytes), size);
  }

  /** Bytes that are in the file. */
  get written(): number {
    return this.#written;
  }

  /** Takes a copy of what it does not write at once. */
  async write(chunk: Uint8Array): Promise<void> {
    const end = this.#written + this.#gathered.waiting + chunk.byteLength;
    if (end > this.#size) throw new RangeError(`Cannot write more than ${this.#size} bytes into the place of a part`);
    await this.#gathered.write(chunk);
  }

  flush(): Promise<void> {
    return this.#gathered.flush();
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await this.#output.write(bytes, this.#offset + this.#written);
    this.#written += bytes.byteLength;
  }
}
