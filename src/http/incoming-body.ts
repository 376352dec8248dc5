import type { Bytes } from '../store.ts';

/** What a body asks of the exchange it belongs to. */
export interface IncomingHooks {
  /** A reader waits, and nothing is here: let more come. */
  wanted(): void;
  /** What was waited for has come: so many bytes. */
  satisfied(bytes: number): void;
  /** The reader leaves before the end. */
  left(): void;
  /** A chunk is with the reader, or waits for it: it must not be overwritten before the function that this returns is called. */
  hold(chunk: Uint8Array): Release;
}

type Release = (() => void) | undefined;
type Step = IteratorResult<Uint8Array, undefined>;

const DONE: Step = { done: true, value: undefined };

/**
 * The body of an answer, pulled by its one reader: at most one chunk lies here unread, then the socket is paused.
 * A chunk is valid until the next one is asked for.
 */
export class IncomingBody implements Bytes, AsyncIterator<Uint8Array, undefined> {
  readonly #hooks: IncomingHooks;
  #unread: Uint8Array | undefined;
  /** Lets go of the unread chunk. */
  #releaseUnread: Release;
  /** Lets go of the reader's chunk. Only `next()` does: a reader that leaves, or whose body fails, may still have it in a socket. */
  #releaseLent: Release;
  #waiting:
    | { readonly resolve: (step: Step) => void; readonly reject: (error: unknown) => void }
    | undefined;
  #ending: { readonly error?: unknown } | undefined;
  #isOpened = false;

  constructor(hooks: IncomingHooks) {
    this.#hooks = hooks;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    if (this.#isOpened) throw new Error('The body of a response can be read only once');
    this.#isOpened = true;
    return this;
  }

  next(): Promise<Step> {
    this.#releaseLent?.();
    this.#releaseLent = undefined;
    const value = this.#unread;
    if (value !== undefined) {
      this.#unread = undefined;
      this.#releaseLent = this.#releaseUnread;
      return Promise.resolve({ done: false, value });
    }
    if (this.#ending !== undefined) return this.#end(this.#ending);
    if (this.#waiting !== undefined)
      return Promise.reject(
        new Error('The next chunk of a response was asked for before the last one came'),
      );
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#hooks.wanted();
    });
  }

  return(): Promise<Step> {
    this.#unread = undefined;
    if (this.#ending === undefined) {
      this.finish();
      this.#hooks.left();
    }
    this.#ending = {};
    return Promise.resolve(DONE);
  }

  /** Takes a chunk of the parser. False: take no more before `wanted()`. */
  push(chunk: Uint8Array): boolean {
    // A resumed parser hands out an empty chunk when the socket has nothing; a reader that loops over those would spin.
    if (chunk.byteLength === 0 || this.#ending !== undefined) return true;
    const waiting = this.#waiting;
    const release = this.#hooks.hold(chunk);
    if (waiting === undefined) {
      this.#unread = chunk;
      this.#releaseUnread = release;
      return false;
    }
    this.#releaseLent = release;
    this.#waiting = undefined;
    this.#hooks.satisfied(chunk.byteLength);
    waiting.resolve({ done: false, value: chunk });
    return true;
  }

  /** No more chunks will come. */
  finish(): void {
    if (this.#ending !== undefined) return;
    this.#ending = {};
    this.#waiting?.resolve(DONE);
    this.#waiting = undefined;
  }

  /** The body ends badly: whoever waits, or asks for more after what is here, gets `error`. */
  fail(error: unknown): void {
    if (this.#ending !== undefined) return;
    this.#ending = { error };
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  /** As `fail()`, and what is here unread is dropped. */
  abort(error: unknown): void {
    this.#unread = undefined;
    this.fail(error);
  }

  #end(ending: { readonly error?: unknown }): Promise<Step> {
    return 'error' in ending ? Promise.reject(ending.error) : Promise.resolve(DONE);
  }
}
