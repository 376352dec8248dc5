interface Flight<T> {
  readonly landing: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Runs each keyed piece of work once, however many ask for it. Work that succeeded is remembered; work that failed may be
 * tried again by the next who asks.
 *
 * Whoever waits may give up alone: the work itself is aborted only when nobody waits for it any more.
 */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * @param start begins the work. Its signal aborts when everybody who waited has given up.
   * @throws the signal's reason when it aborts first, else what the work throws.
   */
  async join(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, start);
    flight.waiting += 1;
    return await new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        flight.waiting -= 1;
        // The last to leave waits until the work has settled: no floating request, no half-closed file.
        if (flight.waiting === 0) this.#abort(key, flight, signal.reason);
        else reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      flight.landing.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  #begin(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = { landing: start(controller.signal), controller, waiting: 0 };
    this.#flights.set(key, flight);
    flight.landing.catch(() => this.#forget(key, flight));
    return flight;
  }

  #abort(key: string, flight: Flight<T>, reason: unknown): void {
    this.#forget(key, flight);
    flight.controller.abort(reason);
  }

  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
