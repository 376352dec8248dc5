/**
 * How many requests each origin has let through. Where others get through, a 429 means that it is not our turn yet, which uses up no
 * patience: of many requests at once the last would else be refused as often as it takes the others to pass.
 */
export class Admissions {
  readonly #counts = new Map<string, number>();

  /** Takes the status of an answer. */
  note(origin: string, status: number): void {
    if (status !== 429) this.#counts.set(origin, this.#of(origin) + 1);
  }

  /** Joins those who wait for an origin. */
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

/** One that waits until it is let through. */
export interface Turn {
  /** Whether anybody was let through since this was asked last. */
  isMoving(): boolean;
}
