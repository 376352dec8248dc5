/**
 * A mutex for each key, first come first served. For read-modify-write of one remote thing, such as
 * the referrers tag; `SingleFlight` is for reads, whose result all callers share.
 */
export class KeyedLock {
  readonly #tails = new Map<string, Promise<void>>();

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const running = before.then(task);
    const ended = (): void => undefined;
    const tail = running.then(ended, ended);
    this.#tails.set(key, tail);
    try {
      return await running;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }
}
