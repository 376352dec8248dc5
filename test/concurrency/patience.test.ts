import { describe, expect, test } from 'vitest';

import { Admissions } from '../../src/concurrency/admissions.ts';
import { backoffMs, Patience } from '../../src/concurrency/patience.ts';
import { instantClock } from '../support/clock.ts';

const origin = 'https://registry.example';

describe('Patience', () => {
  test('again() waits longer after each failure, and not at all when no retry is left', async () => {
    const clock = instantClock();
    const patience = new Patience({ clock, retries: 2 });
    expect([await patience.again(), await patience.again(), await patience.again()]).toEqual([
      true,
      true,
      false,
    ]);
    expect(clock.sleeps).toEqual([375, 750]);
  });

  test('failed() returns the wait that the server asks for', () => {
    const patience = new Patience({ clock: instantClock(), retries: 1 });
    expect([patience.failed({ askedMs: 7 }), patience.failed({ askedMs: 7 })]).toEqual([
      7,
      undefined,
    ]);
  });

  test('failed() does not count a rate limit while other requests get through', () => {
    const admissions = new Admissions();
    const turn = admissions.wait(origin);
    const patience = new Patience({ clock: instantClock(), retries: 1, turn });
    for (let count = 0; count < 5; count += 1) {
      admissions.note(origin, 200);
      expect(patience.failed({ isRateLimit: true })).toBeDefined();
    }
    expect(patience.failed({ isRateLimit: true })).toBeDefined();
    expect(patience.failed({ isRateLimit: true })).toBeUndefined();
  });

  test('reached() restores the retries after a sixteenth of the transfer, and not before', () => {
    const transfer = { size: 1600, offset: 100 };
    const patience = new Patience({ clock: instantClock(), retries: 1, transfer });
    patience.failed();
    patience.reached(199);
    expect(patience.failed()).toBeUndefined();
    patience.reached(200);
    expect(patience.failed()).toBeDefined();
    patience.reached(299);
    expect(patience.failed()).toBeUndefined();
  });

  test('run() throws the reason of the signal when it aborts', async () => {
    const reason = new Error('stop');
    const signal = AbortSignal.abort(reason);
    const task = (): Promise<never> => Promise.reject(new Error('cut'));
    const patience = new Patience({ clock: instantClock(), retries: 5, signal });
    await expect(patience.run(task, () => true)).rejects.toBe(reason);
  });
});

describe('backoffMs()', () => {
  test('backoffMs() stays between half and all of the doubled wait, and under half a minute', () => {
    const at = (attempt: number, random: number) =>
      backoffMs(attempt, { ...instantClock(), random: () => random });
    expect([at(0, 0), at(0, 0.999), at(3, 0), at(3, 0.999), at(50, 0.999)]).toEqual([
      250, 500, 2000, 3998, 29985,
    ]);
  });
});
