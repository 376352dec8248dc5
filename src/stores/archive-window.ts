import type { ArchiveOutput } from './archive-output.ts';

/** Small chunks are gathered to this size: a write of a 16 KiB TLS record costs nearly as much. A kill loses what is gathered. */
const BUFFER_BYTES = 256 * 1024;

/** The place of one content in a file that others write to as well. A byte outside is a bug, and is not written. */
export class ArchiveWindow {
  readonly #output: ArchiveOutput;
  readonly #offset: number;
  readonly #size: number;
  #written: number;
  #buffer: Buffer | undefined;
  #used = 0;

  /** @param start bytes that are there already. */
  constructor(output: ArchiveOutput, { offset, size, start }: { readonly offset: number; readonly size: number; readonly start: number }) {
    this.#output = output;
    this.#offset = offset;
    this.#size = size;
    this.#written = start;
  }

  /** Bytes that are in the file. */
  get written(): number {
    return this.#written;
  }

  /** Takes a copy of what it does not write at once. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#written + this.#used + chunk.byteLength > this.#size) throw new RangeError(`Cannot write more than ${this.#size} bytes into the place of a part`);
    if (this.#used + chunk.byteLength > BUFFER_BYTES) await this.flush();
    if (chunk.byteLength >= BUFFER_BYTES) return this.#put(chunk);
    this.#buffer ??= Buffer.allocUnsafe(Math.min(BUFFER_BYTES, this.#size));
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
    await this.#output.write(bytes, this.#offset + this.#written);
    this.#written += bytes.byteLength;
  }
}
