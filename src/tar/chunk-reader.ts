import type { Bytes } from '../store.ts';

/** Takes a stream in pieces of the reader's own sizes. */
export class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();
  #position = 0;

  constructor(content: Bytes) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** Bytes that were taken. */
  get position(): number {
    return this.#position;
  }

  /** A copy of the next `size` bytes; fewer at the end. */
  async take(size: number): Promise<Uint8Array> {
    const taken = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const piece = await this.#next(size - filled);
      if (piece === undefined) break;
      taken.set(piece, filled);
      filled += piece.byteLength;
    }
    return taken.subarray(0, filled);
  }

  /** The next `size` bytes as they come, borrowed; fewer at the end. */
  async *pieces(size: number): AsyncGenerator<Uint8Array> {
    let left = size;
    while (left > 0) {
      const piece = await this.#next(left);
      if (piece === undefined) return;
      left -= piece.byteLength;
      yield piece;
    }
  }

  /** Drops the next `size` bytes, and says how many there were. */
  async skip(size: number): Promise<number> {
    const start = this.#position;
    while (this.#position - start < size) if ((await this.#next(size - (this.#position - start))) === undefined) break;
    return this.#position - start;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #next(most: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.byteLength === 0) {
      const { value, done } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#chunk = value;
    }
    const piece = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(piece.byteLength);
    this.#position += piece.byteLength;
    return piece;
  }
}
