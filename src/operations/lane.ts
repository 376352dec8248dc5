/** Room for so many at once; who finds none waits. Those that yield come after all that do not, and otherwise the first comes first. */
export class Lane {
  #width: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #yielding: (() => void)[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  /** Resolves when there is room, with what gives it back; giving it back twice does nothing. */
  async enter({ yields = false }: { readonly yields?: boolean | undefined } = {}): Promise<() => void> {
    if (this.#inside < this.#width) this.#inside += 1;
    else await new Promise<void>((admit) => (yields ? this.#yielding : this.#waiting).push(admit));
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.#inside -= 1;
      this.#admit();
    };
  }

  /** Changes how many have room. Who is inside already stays. */
  widen(width: number): void {
    this.#width = width;
    this.#admit();
  }

  #admit(): void {
    while (this.#inside < this.#width) {
      const admit = this.#waiting.shift() ?? this.#yielding.shift();
      if (admit === undefined) return;
      // Counted here and not when it goes on: until then another could take the same room.
      this.#inside += 1;
      admit();
    }
  }
}
