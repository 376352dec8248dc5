/** Small chunks are gathered to this size: a write of a 16 KiB TLS record costs nearly as much. A kill loses what is gathered. */
const BUFFER_BYTES = 256 * 1024;

/** Gathers small chunks, and gives them on as one, in order. */
export class GatheredWrites {
  readonly #put: (bytes: Uint8Array) => Promise<void>;
  readonly #bufferBytes: number;
  #buffer: Buffer | undefined;
  #used = 0;

  /**
   * @param put takes what was gathered; the bytes are its own until it resolves.
   * @param most bytes that will ever come, so that no more is allocated for them.
   */
  constructor(put: (bytes: Uint8Array) => Promise<void>, most = BUFFER_BYTES) {
    this.#put = put;
    this.#bufferBytes = Math.min(BUFFER_BYTES, most);
  }

  /** Bytes that are taken and not yet given on. */
  get waiting(): number {
    return this.#used;
  }

  /** Takes a copy of what it does not give on at once. @throws what `put` throws. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#used + chunk.byteLength > BUFFER_BYTES) await this.flush();
    if (chunk.byteLength >= BUFFER_BYTES) return this.#put(chunk);
    this.#buffer ??= Buffer.allocUnsafe(this.#bufferBytes);
    this.#buffer.set(chunk, this.#used);
    this.#used += chunk.byteLength;
  }

  /** Gives on what is waiting. @throws what `put` throws. */
  async flush(): Promise<void> {
    if (this.#buffer === undefined || this.#used === 0) return;
    const piece = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    await this.#put(piece);
  }
}
