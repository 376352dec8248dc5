import { setTimeout } from 'node:timers/promises';

import type { Clock } from '../../src/clock.ts';

export interface InstantClock extends Clock {
  /** The requested waits in order, in ms. */
  readonly sleeps: readonly number[];
  /** Moves the clock forward, or back when negative: ms. */
  advance(ms: number): void;
}

/** A clock that moves only by `advance()` and by sleeping; every sleep ends at once. */
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

/** The machine's own clock, for tests that wait for another process. */
export const realClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => setTimeout(ms, undefined, { ...(signal && { signal }) }),
  random: () => Math.random(),
};
