import type { OnReadOpts, Socket } from 'node:net';

/** A reusable buffer and the number of its users. */
export interface Slab {
  readonly bytes: Uint8Array;
  uses: number;
}

export interface SlabPoolOptions {
  /** Bytes of a slab. */
  readonly slabBytes?: number | undefined;
  /** Called with each buffer when its last user has released it: tests overwrite it then. */
  readonly onFree?: ((bytes: Uint8Array) => void) | undefined;
}

/** Bytes of a slab. One read of a socket fills at most this; more is no faster. */
const SLAB_BYTES = 1024 * 1024;
/** Unused slabs that are kept: enough for all large transfers of a command. */
const MOST_FREE = 32;

/**
 * Reusable buffers for socket reads. Collecting the 64 KiB buffers that Node allocates for each
 * read costs a third of the time of a copy.
 *
 * A slab that a failed user never releases is collected like any other memory.
 */
export class SlabPool {
  /** Bytes of each slab. */
  readonly slabBytes: number;
  readonly #free: Slab[] = [];
  readonly #all = new WeakMap<ArrayBufferLike, Slab>();
  readonly #onFree: SlabPoolOptions['onFree'];

  constructor({ slabBytes = SLAB_BYTES, onFree }: SlabPoolOptions = {}) {
    this.slabBytes = slabBytes;
    this.#onFree = onFree;
  }

  /** Returns a slab whose one user is the caller. */
  take(): Slab {
    const slab = this.#free.pop() ?? this.#make();
    slab.uses = 1;
    return slab;
  }

  /** Returns the slab of a chunk; undefined for other memory. */
  slabOf(chunk: Uint8Array): Slab | undefined {
    return this.#all.get(chunk.buffer);
  }

  /** Removes one user. */
  release(slab: Slab): void {
    slab.uses -= 1;
    if (slab.uses > 0) return;
    if (slab.uses < 0) throw new Error('A slab was released more often than it was used');
    this.#onFree?.(slab.bytes);
    if (this.#free.length < MOST_FREE) this.#free.push(slab);
  }

  #make(): Slab {
    const slab = { bytes: Buffer.allocUnsafeSlow(this.slabBytes), uses: 0 };
    this.#all.set(slab.bytes.buffer, slab);
    return slab;
  }
}

/**
 * A slab with less room is replaced: a TLS record and most reads of a fast line still fit. Bytes.
 */
const LEAST_ROOM = 64 * 1024;

/** Bytes of a socket that wait for the parser. */
interface Unparsed {
  bytes: Uint8Array;
  /** The slab they are in, of which this is one use; undefined for other memory. */
  readonly slab: Slab | undefined;
}

/**
 * Reads for one socket, instead of Node's stream: into slabs while a large body arrives, and into
 * new buffers otherwise.
 *
 * Node's stream would join all bytes that wait in a new buffer, and over TLS each record of 16 KiB
 * would wake the parser. Here the parser gets a view of all neighbouring reads of a slab, once in a
 * turn of the event loop.
 *
 * A slab is in use while the next read may write to it, while undici's parser has bytes of it, and
 * while a reader of the body holds one of its chunks. Heads are never parsed in slabs, because the
 * parser keeps views of their lines. Outside of large bodies, reads are copied out of the socket's
 * own small buffer.
 */
export class SlabReader {
  /** For net.connect and tls.connect. */
  readonly onread: OnReadOpts;
  readonly #pool: SlabPool;
  readonly #own: Uint8Array = Buffer.allocUnsafeSlow(LEAST_ROOM);
  #socket: Socket | undefined;
  #isBulk = false;
  /** The slab of the next read. */
  #current: Slab | undefined;
  /** Bytes of the current slab that are given away. */
  #used = 0;
  /** In the order of the stream. */
  readonly #unparsed: Unparsed[] = [];
  #unparsedBytes = 0;
  /** The slab of the bytes that the parser took last. */
  #parsed: Slab | undefined;
  /** The socket reads no more until the parser has caught up. */
  #isStopped = false;
  /**
   * The parser waits for the reader of the body. It says so by putting back the rest, even none.
   */
  #isPaused = false;
  /** The parser is about to be woken. */
  #isWaking = false;

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.onread = {
      buffer: () => this.#room(),
      callback: (size, bytes) => this.#take(size, bytes),
    };
  }

  /**
   * Takes the socket before its first read, whether or not it was made with `onread`. Of Node's
   * stream only the end is left: it comes when all bytes are parsed.
   */
  attach(socket: Socket): void {
    this.#socket = socket;
    const push = socket.push.bind(socket);
    // Without `onread`, and at the end, Node's stream brings its own memory.
    socket.push = (bytes: Uint8Array | null): boolean =>
      bytes === null ? push(bytes) : this.#queue({ bytes, slab: undefined });
    const read = socket.read.bind(socket);
    socket.read = (size?: number): unknown => {
      // Node's own way to start reading, and to find the end.
      if (size === 0) return this.#isEndHeld ? null : (read(0) as unknown);
      this.#isPaused = false;
      return this.#next() ?? (read(size) as unknown);
    };
    socket.unshift = (chunk: unknown): void => {
      this.#isPaused = true;
      if (chunk instanceof Uint8Array && chunk.byteLength > 0) this.#putBack(chunk);
    };
  }

  /** Called when a large body begins, after its head was parsed. */
  startBulk(): void {
    this.#isBulk = true;
  }

  endBulk(): void {
    this.#isBulk = false;
  }

  /**
   * Protects a chunk of a body from being overwritten until the returned function is called;
   * undefined for a chunk that is never overwritten.
   */
  hold(chunk: Uint8Array): (() => void) | undefined {
    const slab = this.#pool.slabOf(chunk);
    if (slab === undefined) return undefined;
    slab.uses += 1;
    return () => this.#pool.release(slab);
  }

  /** True if the end of the connection must wait: a paused parser takes it for a bug. */
  get #isEndHeld(): boolean {
    return this.#isPaused || this.#unparsed.length > 0;
  }

  #room(): Uint8Array {
    if (
      this.#current !== undefined &&
      (!this.#isBulk || this.#current.bytes.byteLength - this.#used < LEAST_ROOM)
    ) {
      this.#pool.release(this.#current);
      this.#current = undefined;
    }
    if (!this.#isBulk) return this.#own;
    if (this.#current === undefined) {
      this.#current = this.#pool.take();
      this.#used = 0;
    }
    return this.#current.bytes.subarray(this.#used);
  }

  /** Called with each read. Returns false to stop reading until the parser has caught up. */
  #take(size: number, room: Uint8Array): boolean {
    // A read that began in a body may bring the head of the next response.
    const slab = this.#isBulk ? this.#pool.slabOf(room) : undefined;
    const bytes = room.subarray(0, size);
    if (slab === undefined) return this.#queue({ bytes: Buffer.from(bytes), slab });
    this.#used += size;
    return this.#queue({ bytes, slab });
  }

  /** Queues bytes for the parser, in one view with those before them where they are neighbours. */
  #queue({ bytes, slab }: Unparsed): boolean {
    const last = this.#unparsed.at(-1);
    if (slab !== undefined && last?.slab === slab && endOf(last.bytes) === bytes.byteOffset)
      last.bytes = slab.bytes.subarray(last.bytes.byteOffset, endOf(bytes));
    else {
      if (slab !== undefined) slab.uses += 1;
      this.#unparsed.push({ bytes, slab });
    }
    this.#unparsedBytes += bytes.byteLength;
    this.#isStopped = this.#isFull;
    this.#wake();
    return !this.#isStopped;
  }

  /** True if half of a slab waits. */
  get #isFull(): boolean {
    return this.#unparsedBytes >= this.#pool.slabBytes / 2;
  }

  /** Wakes the parser: in a large body after all reads of this turn, and otherwise immediately. */
  #wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    const wake = (): void => {
      this.#isWaking = false;
      if (this.#unparsed.length > 0 && this.#socket?.destroyed === false)
        this.#socket.emit('readable');
    };
    if (this.#isBulk) setImmediate(wake);
    else queueMicrotask(wake);
  }

  /** Called when the parser has finished with the last bytes, or has put them back. */
  #next(): Uint8Array | undefined {
    if (this.#parsed !== undefined) this.#pool.release(this.#parsed);
    const next = this.#unparsed.shift();
    this.#parsed = next?.slab;
    if (next === undefined) return undefined;
    this.#unparsedBytes -= next.bytes.byteLength;
    if (this.#isStopped && !this.#isFull) {
      this.#isStopped = false;
      this.#socket?._read(0);
    }
    return next.bytes;
  }

  #putBack(bytes: Uint8Array): void {
    const slab = this.#pool.slabOf(bytes);
    if (slab !== undefined) slab.uses += 1;
    this.#unparsed.unshift({ bytes, slab });
    this.#unparsedBytes += bytes.byteLength;
  }
}

/** The end of a view in its memory. */
function endOf({ byteOffset, byteLength }: Uint8Array): number {
  return byteOffset + byteLength;
}
