/**
 * Size of one write: a write of a 16 KiB TLS record costs nearly as much. A kill loses buffered
 * bytes.
 */
const BUFFER_BYTES = 256 * 1024;

/** Joins small chunks into large writes, in order. */
export class BufferedWrites {
  readonly #put: (bytes: Uint8Array) => Promise<void>;
  readonly #bufferBytes: number;
  #buffer: Buffer | undefined;
  #used = 0;

  /**
   * @param put writes bytes, which it may read until it resolves.
   * @param most bytes that will ever come, so that no more is allocated.
   */
  constructor(put: (bytes: Uint8Array) => Promise<void>, most = BUFFER_BYTES) {
    this.#put = put;
    this.#bufferBytes = Math.min(BUFFER_BYTES, most);
  }

  /** Buffered bytes. */
  get waiting(): number {
    return this.#used;
  }

  /** Copies a small chunk, and writes a large one at once. @throws what `put` throws. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#used + chunk.byteLength > BUFFER_BYTES) await this.flush();
    if (chunk.byteLength >= BUFFER_BYTES) return this.#put(chunk);
    this.#buffer ??= Buffer.allocUnsafe(this.#bufferBytes);
    this.#buffer.set(chunk, this.#used);
    this.#used += chunk.byteLength;
  }

  /** Writes the buffered bytes. @throws what `put` throws. */
  async flush(): Promise<void> {
    if (this.#buffer === undefined || this.#used === 0) return;
    const piece = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    await this.#put(piece);
  }
}
