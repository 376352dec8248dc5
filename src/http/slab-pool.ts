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
