/**
 * Counts the requests that each origin lets through. While others get through, a 429 means "not
 * your turn yet" and must not use up patience. Otherwise the last of many parallel requests would
 * be refused as often as it takes the others to pass.
 */
export class Admissions {
  readonly #counts = new Map<string, number>();

  /** Takes the status of a response. */
  note(origin: string, status: number): void {
    if (status !== 429) this.#counts.set(origin, this.#of(origin) + 1);
  }

  /** Starts to watch an origin for one request. */
  wait(origin: string): Turn {
    let seen = this.#of(origin);
    return {
      isMoving: () => {
        const before = seen;
        seen = this.#of(origin);
        return seen > before;
      },
    };
  }

  #of(origin: string): number {
    return this.#counts.get(origin) ?? 0;
  }
}

/** A request that waits until the origin lets it through. */
export interface Turn {
  /** True if the origin let any request through since the last call. */
  isMoving(): boolean;
}
