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
