import { verified, type SeekableBytes } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes } from '../../store.ts';

const HELD_BYTES = 64 * 1024;

/**
 * The content of an upload from a position on. It gives the last bytes only after all are proved:
 * not every registry checks the digest of an upload, but none keeps a request that lacks its last
 * bytes.
 *
 * It can be read again from its start, and knows how far the last reading came.
 */
export class UploadContent implements Bytes {
  readonly #whole: SeekableBytes;
  readonly #expected: Descriptor;
  readonly #start: number;
  #position: number;
  #failure: { readonly error: unknown } | undefined;
  #ahead: AsyncIterator<Uint8Array> | undefined;
  #isRead = false;

  /**
   * @param start first byte wanted; those before it are proved with the others, see `verified()`.
   */
  constructor(content: Bytes, expected: Descriptor, start = 0) {
    this.#whole = verified(content, expected);
    this.#expected = expected;
    this.#start = start;
    this.#position = start;
  }

  /** End of the bytes that were read. */
  get position(): number {
    return this.#isRead ? this.#position : this.#start;
  }

  /** The content's own error: a fault of the source, which no restart of the upload mends. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#isRead ? this.#failure : undefined;
  }

  /** Requests the first chunk now, so that the source's wait overlaps with another one. */
  openAhead(): this {
    const chunks = this.#read();
    let first: Promise<IteratorResult<Uint8Array>> | undefined = chunks.next();
    // The reader receives this error.
    first.catch(() => undefined);
    this.#ahead = {
      next: () => {
        const step = first ?? chunks.next();
        first = undefined;
        return step;
      },
      return: () => chunks.return(undefined),
    };
    return this;
  }

  /** @throws {ContentMismatchError} while iterating, before the last bytes. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    const chunks = this.#ahead ?? this.#read();
    this.#ahead = undefined;
    this.#isRead = true;
    return chunks;
  }

  /**
   * Closes content that was opened ahead and never read. Does not wait: its own signal ends a
   * stall.
   */
  close(): void {
    this.#ahead?.return?.().catch(() => undefined);
    this.#ahead = undefined;
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    const { size } = this.#expected;
    let held: Uint8Array | undefined;
    this.#position = this.#start;
    try {
      for await (const chunk of this.#start === 0 ? this.#whole : this.#whole.from(this.#start)) {
        const end = this.#position + chunk.byteLength;
        if (end < size || chunk.byteLength === 0) {
          this.#position = end;
          yield chunk;
          continue;
        }
        // A copy: the chunk is gone once the end of the content is requested.
        const cut = Math.max(0, chunk.byteLength - HELD_BYTES);
        held = new Uint8Array(chunk.subarray(cut));
        this.#position += cut;
        if (cut > 0) yield chunk.subarray(0, cut);
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
    if (held === undefined) return;
    this.#position += held.byteLength;
    yield held;
  }
}

/** Splits content into parts of any size, in order, without holding any of it. */
export class ContentParts {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(content: Bytes) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** Returns the next `size` bytes, or the rest. They can be read once, before the next part. */
  take(size: number): Bytes {
    let isSpent = false;
    const read = (): AsyncGenerator<Uint8Array> => this.#read(size);
    return {
      [Symbol.asyncIterator]() {
        // A failure of the network to callers, after which the whole upload restarts.
        if (isSpent)
          throw new RegiError(
            'NETWORK',
            'Cannot send a part of an upload again: its bytes are not kept',
          );
        isSpent = true;
        return read();
      },
    };
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async *#read(size: number): AsyncGenerator<Uint8Array> {
    let left = size;
    while (left > 0) {
      while (this.#rest.byteLength === 0) {
        const step = await this.#chunks.next();
        if (step.done === true) return;
        this.#rest = step.value;
      }
      const chunk = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(chunk.byteLength);
      left -= chunk.byteLength;
      yield chunk;
    }
  }
}
