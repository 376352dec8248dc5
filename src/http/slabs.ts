import type { OnReadOpts, Socket } from 'node:net';

/** One buffer that is used again and again, and how many still look into it. */
export interface Slab {
  readonly bytes: Uint8Array;
  uses: number;
}

export interface SlabPoolOptions {
  /** Bytes of each. */
  readonly slabBytes?: number | undefined;
  /** Takes each buffer when its last user has let go: tests overwrite it there. */
  readonly onFree?: ((bytes: Uint8Array) => void) | undefined;
}

/** Bytes of a slab. One read of a socket fills at most that much; more is no faster. */
const SLAB_BYTES = 1024 * 1024;
/** Slabs that wait for the next use: as many as a command has large transfers, and what each of them has in hand. */
const MOST_FREE = 32;

/**
 * Buffers for what sockets read, used again when nobody looks into them any more. 64 KiB buffers that Node would allocate for each read
 * cost a third of the time of a copy to collect.
 *
 * A user that never lets go of a slab, because something went wrong, costs that slab and nothing else: it is collected as any other memory.
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

  /** A slab with one user: the caller. */
  take(): Slab {
    const slab = this.#free.pop() ?? this.#make();
    slab.uses = 1;
    return slab;
  }

  /** The slab that a chunk lies in; undefined when it has memory of its own. */
  slabOf(chunk: Uint8Array): Slab | undefined {
    return this.#all.get(chunk.buffer);
  }

  /** One user less. */
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

/** A slab with less room than this is given up: a TLS record and most reads of a fast line still fit. Bytes. */
const LEAST_ROOM = 64 * 1024;

/**
 * Makes one socket read into slabs while a large body comes in, instead of into buffers that Node allocates for every read.
 *
 * A slab is in use while the next read may write to it, while undici's parser has bytes of it, and while a reader of the body does, who says so
 * with `hold()`. Heads are never parsed in slabs, because the parser keeps views of their lines until the last has come: outside of large bodies what is
 * read is copied out of a small buffer of the socket's own.
 */
export class SlabReader {
  /** For net.connect and tls.connect. */
  readonly onread: OnReadOpts;
  readonly #pool: SlabPool;
  readonly #own: Uint8Array = Buffer.allocUnsafeSlow(LEAST_ROOM);
  #socket: Socket | undefined;
  #isBulk = false;
  /** The slab that the next read goes to. */
  #current: Slab | undefined;
  /** Bytes of it that are given away. */
  #used = 0;
  /** Of the chunks that the socket holds for the parser. */
  #queued: Slab[] = [];
  /** Of the chunks that the parser took last. */
  #parsed: Slab[] = [];

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.onread = {
      buffer: () => this.#room(),
      callback: (size, bytes) => this.#take(size, bytes),
    };
  }

  /** Takes the socket that was made with `onread`, before it has read anything. */
  attach(socket: Socket): void {
    this.#socket = socket;
    const read = socket.read.bind(socket);
    socket.read = (size?: number): unknown => {
      // Node's own way to start reading, which takes nothing.
      if (size === 0) return read(0) as unknown;
      // Whoever asks for more has done with what it got, or has put the rest back.
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

  /** A large body begins: its head has been parsed. */
  startBulk(): void {
    this.#isBulk = true;
  }

  endBulk(): void {
    this.#isBulk = false;
  }

  /** Keeps a chunk of a body from being overwritten until the function that it returns is called; undefined where nobody would. */
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

  /** False stops reading until the socket's reader has caught up. */
  #take(size: number, bytes: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket === undefined) throw new Error('A socket read before its reader was attached');
    // A read that was begun for a body may bring the next answer's head.
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
