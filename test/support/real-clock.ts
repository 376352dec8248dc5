import { setTimeout } from 'node:timers/promises';

import type { Clock } from '../../src/clock.ts';

/** The machine's own time, for tests in which other processes really have to be waited for. */
export const realClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => setTimeout(ms, undefined, { ...(signal && { signal }) }),
  random: () => Math.random(),
};
