import type { StreamBody } from './message.ts';

/** What a request body tells the exchange it belongs to. */
export interface OutgoingHooks {
  /** It is the peer's turn: a piece is on its way. */
  given(): void;
  /** The kernel has taken the last piece; it is the source's turn. */
  flushed(): void;
  /** The kernel has taken every byte. */
  sent(): void;
  /** The source failed, or is not as long as it was said to be. */
  failed(error: unknown): void;
}

type Step = IteratorResult<Uint8Array, undefined>;

const DONE: Step = { done: true, value: undefined };

/**
 * Bytes given to a socket at once. A chunk of the source may be megabytes; on a slow line the idle timer must see that its pieces leave.
 */
const PIECE_BYTES = 256 * 1024;

/**
 * A streamed request body, as undici iterates it.
 *
 * The next chunk of the source is asked for only when the socket has flushed the last one: undici asks then, because its sockets
 * have a high-water mark of 1. undici forgets an iterator that waits for its source when a request is aborted or answered
 * early; `leave()` is what closes the source then.
 */
export class OutgoingBody
  implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array, undefined>
{
  readonly #body: StreamBody;
  readonly #hooks: OutgoingHooks;
  /** Makes the error for a source of another length; told what was found. */
  readonly #sizeError: (found: string) => Error;
  #source: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #given = 0;
  #ended: Promise<void> | undefined;
  #isLeft = false;
  #isReleased = false;
  /** undici, waiting for a piece. */
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

  /** undici's loop ends early: its socket broke. */
  return(): Promise<Step> {
    this.leave();
    return Promise.resolve(DONE);
  }

  /**
   * The request was answered. When every byte had been given, waits until the source has ended too: it may still say that the bytes
   * were wrong. Else the answer came early, and the source is closed.
   */
  async settle(): Promise<void> {
    if (this.#given === this.#body.size && !this.#isLeft) await this.#expectEnd();
    else this.leave();
  }

  /** Closes the source. Does not wait for it: it may be stalled until its own signal aborts. */
  leave(): void {
    if (this.#isLeft) return;
    this.#isLeft = true;
    this.#rest = new Uint8Array(0);
    // What closing says is of no use any more: there is an answer, or an error, already.
    this.#source?.return?.().then(ignore, ignore);
  }

  /** The exchange is over: lets go of undici. Earlier, undici would take the end of the body for a broken request and drop the answer. */
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
      const chunk = await this.#ask();
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

  /** The next chunk that is not empty; undefined at the end. */
  async #ask(): Promise<Uint8Array | undefined> {
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

  /** Never rejects: a failure goes to the exchange. */
  async #readEnd(): Promise<void> {
    try {
      const chunk = await this.#ask();
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

function ignore(): void {}
