import type { StreamBody } from './message.ts';

/** Called by a request body on its exchange. */
export interface OutgoingHooks {
  /** A piece is on its way; the peer's turn. */
  given(): void;
  /** The kernel has taken the last piece; the source's turn. */
  flushed(): void;
  /** The kernel has taken every byte. */
  sent(): void;
  /** The source failed, or has another length than announced. */
  failed(error: unknown): void;
}

type Step = IteratorResult<Uint8Array, undefined>;

const DONE: Step = { done: true, value: undefined };

/**
 * Bytes given to a socket at a time. A chunk of the source may be megabytes; on a slow line the
 * idle timer must see its pieces leave.
 */
const PIECE_BYTES = 256 * 1024;

/**
 * A streamed request body, as undici iterates it.
 *
 * The next chunk of the source is requested only after the socket has flushed the last one, because
 * sockets have a high-water mark of 1. undici forgets an iterator that waits for its source when a
 * request is aborted, or the response comes early; `leave()` closes the source then.
 */
export class OutgoingBody
  implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined>
{
  readonly #body: StreamBody;
  readonly #hooks: OutgoingHooks;
  /** Makes the error for a source of another length. */
  readonly #sizeError: (found: string) => Error;
  #source: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #given = 0;
  #ended: Promise<void> | undefined;
  #isLeft = false;
  #isReleased = false;
  /** Resolves undici's wait for a piece. */
  #waiting: ((step: Step) => void) | undefined;

  constructor(body: StreamBody, hooks: OutgoingHooks, sizeError: (found: string) => Error) {
    this.#body = body;
    this.#hooks = hooks;
    this.#sizeError = sizeError;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this;
  }

  next(): Promise<Step> {
    if (this.#isReleased) return Promise.resolve(DONE);
    if (this.#isLeft) return this.#wait();
    this.#hooks.flushed();
    if (this.#rest.byteLength > 0) return Promise.resolve(this.#carve());
    if (this.#given === this.#body.size) {
      this.#hooks.sent();
      void this.#expectEnd();
      return Promise.resolve(DONE);
    }
    const step = this.#wait();
    void this.#pull();
    return step;
  }

  /** Called when undici's loop ends early because its socket broke. */
  return(): Promise<Step> {
    this.leave();
    return Promise.resolve(DONE);
  }

  /**
   * Called on the response. After the last byte it waits for the end of the source, which may still
   * find the bytes wrong. An early response closes the source.
   */
  async settle(): Promise<void> {
    if (this.#given === this.#body.size && !this.#isLeft) await this.#expectEnd();
    else this.leave();
  }

  /** Closes the source without waiting: it may be stalled until its own signal aborts. */
  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#rest = new Uint8Array(0);
    // The result of closing is of no use: there is a response, or an error, already.
    this.#source?.return?.().catch(() => undefined);
  }

  /**
   * Called when the exchange is over: ends undici's wait. Before that, undici would take the end of
   * the body for a broken request and drop the response.
   */
  release(): void {
    this.#isReleased = true;
    this.#waiting?.(DONE);
    this.#waiting = undefined;
  }

  #wait(): Promise<Step> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  async #pull(): Promise<void> {
    try {
      const chunk = await this.#nextChunk();
      if (this.#isLeft) return;
      if (chunk === undefined) return this.#fail(this.#sizeError(`${this.#given}`));
      if (this.#given + chunk.byteLength > this.#body.size)
        return this.#fail(this.#sizeError('more'));
      this.#rest = chunk;
      this.#waiting?.(this.#carve());
      this.#waiting = undefined;
    } catch (error) {
      if (!this.#isLeft) this.#fail(error);
    }
  }

  /** Returns the next chunk that is not empty; undefined at the end. */
  async #nextChunk(): Promise<Uint8Array | undefined> {
    this.#source ??= this.#body.content[Symbol.asyncIterator]();
    for (;;) {
      const step = await this.#source.next();
      if (step.done === true) {
        this.#source = undefined;
        return undefined;
      }
      if (step.value.byteLength > 0) return step.value;
      if (this.#isLeft) return undefined;
    }
  }

  #expectEnd(): Promise<void> {
    this.#ended ??= this.#readEnd();
    return this.#ended;
  }

  /** Never rejects: the exchange receives a failure. */
  async #readEnd(): Promise<void> {
    try {
      const chunk = await this.#nextChunk();
      if (chunk !== undefined && !this.#isLeft) this.#fail(this.#sizeError('more'));
    } catch (error) {
      if (!this.#isLeft) this.#fail(error);
    }
  }

  #carve(): Step {
    const value = this.#rest.subarray(0, PIECE_BYTES);
    this.#rest = this.#rest.subarray(value.byteLength);
    this.#given += value.byteLength;
    this.#hooks.given();
    return { done: false, value };
  }

  #fail(error: unknown): void {
    this.leave();
    this.#hooks.failed(error);
  }
}
