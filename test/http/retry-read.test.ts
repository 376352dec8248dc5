import { expect, test } from 'vitest';

import { retryRead } from '../../src/http/retry.ts';
import { NetworkError, TimeoutError } from '../../src/http/errors.ts';
import { instantClock } from '../support/clock.ts';

const cutInBody = new NetworkError('cut', {
  phase: 'body',
  reason: 'UND_ERR_SOCKET',
});
const cutBefore = new NetworkError('cut', {
  phase: 'response',
  reason: 'UND_ERR_SOCKET',
});

/** Fails with one error after the other, then answers. */
function failing(...errors: readonly Error[]): () => Promise<string> {
  const left = [...errors];
  return async () => {
    const error = left.shift();
    if (error !== undefined) throw error;
    return 'answer';
  };
}

test('retryRead() repeats the request with a growing wait when the body breaks', async () => {
  const clock = instantClock();
  const stalled = new TimeoutError('stalled', 'body');
  expect(await retryRead(failing(cutInBody, stalled), { clock, retries: 5 })).toBe('answer');
  expect(clock.sleeps).toEqual([375, 750]);
});

test('retryRead() gives up when no retry is left', async () => {
  await expect(
    retryRead(failing(cutInBody, cutInBody, cutInBody), { clock: instantClock(), retries: 2 }),
  ).rejects.toBe(cutInBody);
});

test.each([[cutBefore], [new Error('a bug')]])(
  'retryRead() does not repeat other failures: %s',
  async (error) => {
    const clock = instantClock();
    await expect(retryRead(failing(error), { clock, retries: 5 })).rejects.toBe(error);
    expect(clock.sleeps).toEqual([]);
  },
);

test('retryRead() throws the reason of its signal', async () => {
  const reason = new Error('stop');
  const signal = AbortSignal.abort(reason);
  await expect(
    retryRead(failing(cutInBody), { clock: instantClock(), retries: 5, signal }),
  ).rejects.toBe(reason);
});
