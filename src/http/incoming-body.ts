import type { Bytes } from '../store.ts';

/** Called by a body on its exchange. */
export interface IncomingHooks {
  /** A reader waits for bytes. */
  wanted(): void;
  /** The bytes that a reader waited for have arrived. */
  satisfied(bytes: number): void;
  /** The reader leaves before the end. */
  left(): void;
  /**
   * A chunk is held for the reader: it must not be overwritten before the returned function is
   * called.
   */
  hold(chunk: Uint8Array): Release;
}

type Release = (() => void) | undefined;
type Step = IteratorResult<Uint8Array, undefined>;

const DONE: Step = { done: true, value: undefined };

/**
 * The body of a response, pulled by its one reader. At most one chunk waits unread, then the socket
 * is paused. A chunk is valid until the next one is requested.
 */
export class IncomingBody implements Bytes, AsyncIterator<Uint8Array, undefined> {
  readonly #hooks: IncomingHooks;
  #unread: Uint8Array | undefined;
  /** Releases the unread chunk. */
  #releaseUnread: Release;
  /**
   * Releases the reader's chunk. Called by `next()` only: a reader that leaves, or whose body
   * fails, may still have it in a socket.
   */
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
        new Error('The next chunk of a response was requested before the last one arrived'),
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

  /** Takes a chunk from the parser. Returns false to stop the parser until `wanted()`. */
  push(chunk: Uint8Array): boolean {
    // A resumed parser returns an empty chunk when the socket has none; a reader would spin over
    // those.
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

  /** Ends the body. */
  finish(): void {
    if (this.#ending !== undefined) return;
    this.#ending = {};
    this.#waiting?.resolve(DONE);
    this.#waiting = undefined;
  }

  /** Breaks the body: the reader gets the unread chunk, then `error`. */
  fail(error: unknown): void {
    if (this.#ending !== undefined) return;
    this.#ending = { error };
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  /** Breaks the body and drops the unread chunk. */
  abort(error: unknown): void {
    this.#unread = undefined;
    this.fail(error);
  }

  #end(ending: { readonly error?: unknown }): Promise<Step> {
    return 'error' in ending ? Promise.reject(ending.error) : Promise.resolve(DONE);
  }
}
