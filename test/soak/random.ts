const MODULUS = 2 ** 31 - 1;

/** Numbers that look random and are the same for the same seed: Park and Miller's generator. */
export class Random {
  #state: number;

  /** @param seed a whole number. */
  constructor(seed: number) {
    this.#state = 1 + (((seed % (MODULUS - 1)) + (MODULUS - 1)) % (MODULUS - 1));
    // The first ones of neighbouring seeds are neighbours too.
    for (let skipped = 0; skipped < 4; skipped += 1) this.next();
  }

  /** From 0 to 1, without 1. */
  next(): number {
    this.#state = (this.#state * 48_271) % MODULUS;
    return (this.#state - 1) / (MODULUS - 1);
  }

  /** A whole number from 0 to `count` − 1. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }
}
