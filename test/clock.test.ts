import { expect, test } from 'vitest';

import { systemClock } from '../src/clock.ts';

test('systemClock.sleep() rejects with the reason of a signal that aborts', async () => {
  const controller = new AbortController();
  const reason = new Error('stop');
  const pending = systemClock.sleep(60_000, controller.signal);
  controller.abort(reason);
  await expect(pending).rejects.toBe(reason);
});

test('systemClock.sleep() rejects at once when the signal has aborted', async () => {
  const reason = new Error('stop');
  await expect(systemClock.sleep(0, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('systemClock.sleep() resolves', async () => {
  await expect(systemClock.sleep(0)).resolves.toBeUndefined();
});
