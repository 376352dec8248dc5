import { describe, expect, test, vi } from 'vitest';

import { Flights } from '../../src/operations/flights.ts';

/** Work that ends when the test says so, or when it is aborted. */
function work() {
  const started: { resolve: (value: string) => void; reject: (error: unknown) => void; signal: AbortSignal }[] = [];
  const start = vi.fn(
    (signal: AbortSignal) =>
      new Promise<string>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
        started.push({ resolve, reject, signal });
      }),
  );
  return { start, started };
}

const never = new AbortController().signal;

describe('Flights.join()', () => {
  test('runs work of one key once and gives all who wait its answer', async () => {
    const flights = new Flights<string>();
    const { start, started } = work();
    const both = [flights.join('layer', never, start), flights.join('layer', never, start)];

    started[0]?.resolve('landed');

    expect(await Promise.all(both)).toEqual(['landed', 'landed']);
    expect(await flights.join('layer', never, start)).toBe('landed');
    expect(start).toHaveBeenCalledTimes(1);
  });

  test('lets the next who asks try again after a failure', async () => {
    const flights = new Flights<string>();
    const { start, started } = work();
    const first = flights.join('layer', never, start);
    started[0]?.reject(new Error('cut'));
    await expect(first).rejects.toThrow('cut');

    const second = flights.join('layer', never, start);
    started[1]?.resolve('landed');

    expect(await second).toBe('landed');
  });

  test('lets one give up without harming another', async () => {
    const flights = new Flights<string>();
    const { start, started } = work();
    const leaving = new AbortController();
    const left = flights.join('layer', leaving.signal, start);
    const stayed = flights.join('layer', never, start);

    leaving.abort(new Error('other image failed'));

    await expect(left).rejects.toThrow('other image failed');
    expect(started[0]?.signal.aborted).toBe(false);
    started[0]?.resolve('landed');
    expect(await stayed).toBe('landed');
  });

  test('aborts the work when the last one gives up, and waits until it has settled', async () => {
    const flights = new Flights<string>();
    let settled = false;
    const leaving = new AbortController();
    const waiting = flights.join('layer', leaving.signal, async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await Promise.resolve();
      settled = true;
      throw signal.reason;
    });

    leaving.abort(new Error('stop'));

    await expect(waiting).rejects.toThrow('stop');
    expect(settled).toBe(true);
  });

  test('starts anew for who comes after the work was aborted', async () => {
    const flights = new Flights<string>();
    const { start, started } = work();
    const leaving = new AbortController();
    const left = flights.join('layer', leaving.signal, start);
    leaving.abort(new Error('stop'));
    const fresh = flights.join('layer', never, start);
    started[1]?.resolve('landed');

    await expect(left).rejects.toThrow('stop');
    expect(await fresh).toBe('landed');
  });

  test('starts nothing when the signal is aborted already', async () => {
    const { start } = work();
    await expect(new Flights<string>().join('layer', AbortSignal.abort(new Error('stop')), start)).rejects.toThrow('stop');
    expect(start).not.toHaveBeenCalled();
  });
});
