import type { Clock } from '../../src/clock.ts';

export interface FakeClock extends Clock {
  /** Lets time pass: milliseconds. */
  advance(ms: number): void;
}

/** A clock that stands still until it is moved; sleeping moves it. */
export function fakeClock(start: number = Date.parse('2026-01-02T03:04:05Z')): FakeClock {
  let now = start;
  return {
    now: () => now,
    random: () => 0.5,
    advance(ms) {
      now += ms;
    },
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      now += ms;
    },
  };
}
