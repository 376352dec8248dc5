/**
 * A timer that is cheap to start and stop for every chunk: stopping leaves the real timer running,
 * without effect. It keeps no process alive; the socket that it watches does.
 */
export class Watchdog {
  #timer: NodeJS.Timeout | undefined;
  #ms = 0;
  #onTimeout: (() => void) | undefined;
  /** Counts starts and stops. */
  #turn = 0;

  /** Calls `onTimeout` after `ms`, unless restarted or stopped before. 0 disables it. */
  start(ms: number, onTimeout: () => void): void {
    if (ms === 0) return this.stop();
    this.#turn += 1;
    this.#onTimeout = onTimeout;
    if (this.#timer !== undefined && this.#ms === ms) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#ms = ms;
    this.#timer = setTimeout(() => this.#fire(), ms).unref();
  }

  stop(): void {
    this.#turn += 1;
    this.#onTimeout = undefined;
  }

  /** Stops for good. */
  end(): void {
    this.stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fire(): void {
    if (this.#onTimeout === undefined) return;
    const turn = this.#turn;
    const fail = (): void => {
      if (this.#turn !== turn) return;
      const onTimeout = this.#onTimeout;
      this.stop();
      onTimeout?.();
    };
    // A process that was suspended finds its timer over before it has read its sockets. Those come
    // first, and the parser wakes after them, at the end of that turn of the event loop.
    setImmediate(() => setImmediate(fail));
  }
}

/** Bytes per second of waiting that a body must deliver. No real connection is as slow. */
const LEAST_BYTES_PER_SECOND = 256;
/**
 * Waits up to this share of the patience are not counted, which saves a new timer for every chunk.
 */
const NEGLIGIBLE = 1 / 16;

/**
 * Checks that a body arrives fast enough: otherwise a peer that sends a byte before each timeout
 * could hold us for ever. The reader's own time does not count.
 */
export class BodyPace {
  readonly #patienceMs: number;
  readonly #leastBytes: number;
  #bytes = 0;
  #waitedMs = 0;
  #startedAt = 0;

  /** @param patienceMs longest wait for the bytes that belong to that time; 0 is for ever. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
    this.#leastBytes = (patienceMs / 1000) * LEAST_BYTES_PER_SECOND;
  }

  /** Bytes that have arrived since the pace was last sufficient. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Called when the reader starts to wait. Returns the milliseconds left; 0 is for ever. */
  started(): number {
    this.#startedAt = performance.now();
    if (this.#waitedMs <= this.#patienceMs * NEGLIGIBLE) return this.#patienceMs;
    return Math.max(1, Math.ceil(this.#patienceMs - this.#waitedMs));
  }

  /** Called when a chunk ends the wait. */
  came(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#leastBytes) {
      this.#waitedMs += performance.now() - this.#startedAt;
      return;
    }
    this.#bytes = 0;
    this.#waitedMs = 0;
  }
}
