import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { BodyPace } from '../../src/http/pace.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** A reader that waits `ms` for `bytes`; gives how long it might have waited. */
function wait(pace: BodyPace, ms: number, bytes: number): number {
  const patience = pace.started();
  vi.advanceTimersByTime(ms);
  pace.came(bytes);
  return patience;
}

test('started() leaves less time to a body that trickles', () => {
  const pace = new BodyPace(1000);
  expect([
    wait(pace, 400, 1),
    wait(pace, 400, 1),
    wait(pace, 150, 1),
    pace.started(),
    pace.bytes,
  ]).toEqual([1000, 600, 200, 50, 3]);
});

test('started() restores the full time after enough bytes', () => {
  const pace = new BodyPace(1000);
  expect([wait(pace, 400, 200), wait(pace, 400, 56), pace.started(), pace.bytes]).toEqual([
    1000, 600, 1000, 0,
  ]);
});

test("started() does not count the reader's own time", () => {
  const pace = new BodyPace(1000);
  wait(pace, 400, 1);
  vi.advanceTimersByTime(100_000);
  expect(pace.started()).toBe(600);
});

test('started() leaves at least a moment, and no limit for a patience of 0', () => {
  const pace = new BodyPace(1000);
  wait(pace, 5000, 1);
  const patient = new BodyPace(0);
  wait(patient, 5000, 1);
  expect([pace.started(), patient.started()]).toEqual([1, 0]);
});
