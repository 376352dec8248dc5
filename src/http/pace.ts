/**
 * A timer that is started and stopped for every chunk, and so must cost next to nothing: stopping leaves the real timer running, unheard.
 * It keeps no process alive; the socket it watches does.
 */
export class Watchdog {
  #timer: NodeJS.Timeout | undefined;
  #ms = 0;
  #onTimeout: (() => void) | undefined;
  /** How often it was started or stopped. */
  #turn = 0;

  /** Calls `onTimeout` after `ms`, unless started anew or stopped before. 0 never does. */
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
    // A process that was halted, or got no time, finds its timer over before it has read what came meanwhile: the sockets come first.
    setImmediate(() => {
      if (this.#turn !== turn) return;
      const onTimeout = this.#onTimeout;
      this.stop();
      onTimeout?.();
    });
  }
}

/** What a body has to bring for each second that its reader waits. No line over which images travel is as slow. Bytes. */
const LEAST_BYTES_PER_SECOND = 256;
/** Shares of the patience that are not counted, so that a timer need not be made anew for every chunk. */
const NEGLIGIBLE = 1 / 16;

/**
 * Whether a body comes fast enough: a peer that sends a byte before each timeout strikes would otherwise hold us for ever. What the reader
 * takes for itself does not count.
 */
export class BodyPace {
  readonly #patienceMs: number;
  readonly #leastBytes: number;
  #bytes = 0;
  #waitedMs = 0;
  #askedAt = 0;

  /** @param patienceMs how long the reader may wait for as many bytes as belong to that time; 0 is for ever. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
    this.#leastBytes = (patienceMs / 1000) * LEAST_BYTES_PER_SECOND;
  }

  /** What has come since it was last enough. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The reader begins to wait. Returns how long it may, in milliseconds; 0 is for ever. */
  asked(): number {
    this.#askedAt = performance.now();
    if (this.#waitedMs <= this.#patienceMs * NEGLIGIBLE) return this.#patienceMs;
    return Math.max(1, Math.ceil(this.#patienceMs - this.#waitedMs));
  }

  /** A chunk ends the wait. */
  came(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#leastBytes) {
      this.#waitedMs += performance.now() - this.#askedAt;
      return;
    }
    this.#bytes = 0;
    this.#waitedMs = 0;
  }
}
