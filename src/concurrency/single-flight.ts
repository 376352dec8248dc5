/** Keeps the results of jobs that succeeded; a `Map` keeps them all. */
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
 * Shares one run of a job between all callers with the same key, and its result with later callers
 * where results are kept. After a failure the next call runs the job again.
 *
 * A caller that aborts leaves alone. The job aborts when the last caller leaves, and that caller
 * waits until it has settled: no request is left running, and no file half closed.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  readonly #results: Results<T> | undefined;

  /** @param results nothing is kept when absent. */
  constructor(results?: Results<T>) {
    this.#results = results;
  }

  /**
   * @param job its signal aborts when all callers have left.
   * @throws the signal's reason when it aborts first, else the job's error.
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

  /** Keeps later callers from joining this flight. */
  #forget(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
