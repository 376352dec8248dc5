import type { Clock } from '../../src/clock.ts';

export interface InstantClock extends Clock {
  /** Every wait that was asked for, in ms. */
  readonly sleeps: readonly number[];
  /** Sets the time forward, or back. */
  advance(ms: number): void;
}

/** A clock on which every sleep is over at once, and time passes by sleeping only. */
export function instantClock(start = Date.UTC(2024, 0, 1)): InstantClock {
  const sleeps: number[] = [];
  let now = start;
  return {
    sleeps,
    advance(ms) {
      now += ms;
    },
    now: () => now,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      sleeps.push(ms);
      now += ms;
    },
    random: () => 0.5,
  };
}
