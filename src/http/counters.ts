/** What went to one origin. */
export interface OriginCounts {
  readonly requests: number;
  readonly connections: number;
}

/** Counts requests and connections per origin (`https://registry.example:5000`): round trips are the cost that users feel. */
export class TransportCounters {
  readonly #counts = new Map<string, { requests: number; connections: number }>();

  add(origin: string, what: keyof OriginCounts): void {
    const counts = this.#counts.get(origin) ?? { requests: 0, connections: 0 };
    counts[what] += 1;
    this.#counts.set(origin, counts);
  }

  of(origin: string): OriginCounts {
    return { requests: 0, connections: 0, ...this.#counts.get(origin) };
  }

  entries(): Iterable<readonly [origin: string, counts: OriginCounts]> {
    return this.#counts.entries();
  }
}
