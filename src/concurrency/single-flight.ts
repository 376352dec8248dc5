/** Where the results of jobs that succeeded are kept; a `Map` keeps them all. */
export interface Results<T> {
  get(key: string): { readonly value: T } | undefined;
  set(key: string, result: { readonly value: T }): unknown;
}

interface Flight<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Runs the same job once for all who ask while it runs, and, where results are kept, afterwards. A job that failed may be tried
 * again by the next who asks.
 *
 * Who aborts leaves alone. The job itself is aborted when the last one leaves, who waits until it has settled: no request goes
 * on unheard, and no file stays half closed.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #results: Results<T> | undefined;

  /** @param results undefined: nothing is kept. */
  constructor(results?: Results<T>) {
    this.#results = results;
  }

  /**
   * @param job its signal aborts when everybody who waited has left.
   * @throws the signal's reason when it aborts first, else what the job throws.
   */
  async run(
    key: string,
    job: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    const kept = this.#results?.get(key);
    if (kept !== undefined) return kept.value;
    const flight = this.#flights.get(key) ?? this.#start(key, job);
    flight.waiting += 1;
    return signal === undefined ? flight.result : this.#wait(key, flight, signal);
  }

  #wait(key: string, flight: Flight<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        flight.waiting -= 1;
        if (flight.waiting > 0) return reject(signal.reason);
        this.#forget(key, flight);
        flight.controller.abort(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      void flight.result
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', onAbort));
    });
  }

  #start(key: string, job: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = { result: job(controller.signal), controller, waiting: 0 };
    this.#flights.set(key, flight);
    flight.result.then(
      (value) => {
        this.#results?.set(key, { value });
        this.#forget(key, flight);
      },
      () => this.#forget(key, flight),
    );
    return flight;
  }

  /** Whoever asks from now on does not get this flight. */
  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
