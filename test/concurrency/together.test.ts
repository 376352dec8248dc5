import { describe, expect, test } from 'vitest';

import { together } from '../../src/concurrency/together.ts';
import { deferred } from '../support/deferred.ts';

const never = new AbortController().signal;

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error)),
  );
}

describe('together()', () => {
  test('returns the results in the order of the tasks', async () => {
    const first = deferred<number>();
    const both = together<[number, undefined]>([() => first.promise, async () => undefined], never);
    first.resolve(1);
    expect(await both).toEqual([1, undefined]);
    expect(await together([], never)).toEqual([]);
  });

  test('throws the first failure after the other tasks were aborted and have settled', async () => {
    let settled = false;
    const tasks = [
      (signal: AbortSignal) => untilAborted(signal).finally(() => (settled = true)),
      async () => {
        throw new Error('lost');
      },
    ];
    await expect(together(tasks, never)).rejects.toThrow('lost');
    expect(settled).toBe(true);
  });

  test('throws the reason of its signal when that aborts', async () => {
    const controller = new AbortController();
    const running = together([untilAborted], controller.signal);
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });
});
