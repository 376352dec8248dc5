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
  readonly #free: Slab[] = [];
  readonly #all = new WeakMap<ArrayBufferLike, Slab>();
  readonly #slabBytes: number;
  readonly #onFree: SlabPoolOptions['onFree'];

  constructor({ slabBytes = SLAB_BYTES, onFree }: SlabPoolOptions = {}) {
    this.#slabBytes = slabBytes;
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
    const slab = { bytes: Buffer.allocUnsafeSlow(this.#slabBytes), uses: 0 };
    this.#all.set(slab.bytes.buffer, slab);
    return slab;
  }
}

/**
 * A slab with less room is replaced: a TLS record and most reads of a fast line still fit. Bytes.
 */
const LEAST_ROOM = 64 * 1024;

/**
 * Makes one socket read into slabs while a large body arrives, instead of into new buffers.
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
  /** Slabs of the chunks that the socket holds for the parser. */
  #queued: Slab[] = [];
  /** Slabs of the chunks that the parser took last. */
  #parsed: Slab[] = [];

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.onread = {
      buffer: () => this.#room(),
      callback: (size, bytes) => this.#take(size, bytes),
    };
  }

  /** Takes the socket that was made with `onread`, before its first read. */
  attach(socket: Socket): void {
    this.#socket = socket;
    const read = socket.read.bind(socket);
    socket.read = (size?: number): unknown => {
      // Node's own way to start reading, which consumes nothing.
      if (size === 0) return read(0) as unknown;
      // A caller that asks for more has finished with the last chunk, or has put the rest back.
      for (const slab of this.#parsed.splice(0)) this.#pool.release(slab);
      const chunk = read(size) as unknown;
      if (socket.readableLength === 0) this.#parsed = this.#queued.splice(0);
      return chunk;
    };
    const unshift = socket.unshift.bind(socket);
    socket.unshift = (chunk: unknown, encoding?: BufferEncoding): void => {
      const slab =
        chunk instanceof Uint8Array && chunk.byteLength > 0 ? this.#pool.slabOf(chunk) : undefined;
      if (slab !== undefined) this.#queue(slab);
      unshift(chunk, encoding);
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

  /** Returns false to stop reading until the socket's reader has caught up. */
  #take(size: number, bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket === undefined) throw new Error('A socket read before its reader was attached');
    // A read that began in a body may bring the head of the next response.
    const slab = this.#isBulk ? this.#pool.slabOf(bytes) : undefined;
    if (slab === undefined) return socket.push(Buffer.from(bytes.subarray(0, size)));
    this.#used += size;
    this.#queue(slab);
    return socket.push(bytes.subarray(0, size));
  }

  #queue(slab: Slab): void {
    slab.uses += 1;
    this.#queued.push(slab);
  }
}
