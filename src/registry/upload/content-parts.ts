import { RegiError, type RegiErrorOptions } from '../../errors.ts';
import type { Bytes } from '../../store.ts';

/** A part of an upload that would have to be sent twice: its bytes have gone by, and the whole upload starts again. */
export class PartSpentError extends RegiError {
  constructor(message: string, options?: RegiErrorOptions) {
    super('NETWORK', message, options);
  }
}

/** Content handed out in parts of any size, in order, without holding any of it. */
export class ContentParts {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(content: Bytes) {
    this.#chunks = content[Symbol.asyncIterator]();
  }

  /** The next `size` bytes, or what is left. They can be read once, and before the next part is taken. */
  take(size: number): Bytes {
    let isSpent = false;
    const read = (): AsyncGenerator<Uint8Array> => this.#read(size);
    return {
      [Symbol.asyncIterator]() {
        if (isSpent)
          throw new PartSpentError('Cannot send a part of an upload again: its bytes have gone by');
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
