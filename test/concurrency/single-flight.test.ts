import { describe, expect, test, vi } from 'vitest';

import { SingleFlight } from '../../src/concurrency/single-flight.ts';

/** Work that ends when the test says so, or when it is aborted. */
function work() {
  const started: {
    resolve: (value: string) => void;
    reject: (error: unknown) => void;
    signal: AbortSignal;
  }[] = [];
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

describe('SingleFlight.run()', () => {
  test('runs a job once for all callers of a key, and returns kept results later', async () => {
    const flights = new SingleFlight<string>(new Map());
    const { start, started } = work();
    const both = [flights.run('layer', start, never), flights.run('layer', start, never)];

    started[0]?.resolve('landed');

    expect(await Promise.all(both)).toEqual(['landed', 'landed']);
    expect(await flights.run('layer', start, never)).toBe('landed');
    expect(start).toHaveBeenCalledTimes(1);
  });

  test('forgets a result without a place to keep it', async () => {
    const flights = new SingleFlight<string>();
    const { start, started } = work();
    const first = flights.run('token', start);
    started[0]?.resolve('first');
    expect(await first).toBe('first');

    const second = flights.run('token', start);
    started[1]?.resolve('second');

    expect(await second).toBe('second');
  });

  test('does not abort a job while a caller without a signal waits', async () => {
    const flights = new SingleFlight<string>();
    const { start, started } = work();
    const leaving = new AbortController();
    const left = flights.run('token', start, leaving.signal);
    const stayed = flights.run('token', start);

    leaving.abort(new Error('stop'));

    await expect(left).rejects.toThrow('stop');
    started[0]?.resolve('first');
    expect(await stayed).toBe('first');
  });

  test('runs the job again after a failure', async () => {
    const flights = new SingleFlight<string>(new Map());
    const { start, started } = work();
    const first = flights.run('layer', start, never);
    started[0]?.reject(new Error('cut'));
    await expect(first).rejects.toThrow('cut');

    const second = flights.run('layer', start, never);
    started[1]?.resolve('landed');

    expect(await second).toBe('landed');
  });

  test('rejects only the caller that aborts', async () => {
    const flights = new SingleFlight<string>(new Map());
    const { start, started } = work();
    const leaving = new AbortController();
    const left = flights.run('layer', start, leaving.signal);
    const stayed = flights.run('layer', start, never);

    leaving.abort(new Error('other image failed'));

    await expect(left).rejects.toThrow('other image failed');
    expect(started[0]?.signal.aborted).toBe(false);
    started[0]?.resolve('landed');
    expect(await stayed).toBe('landed');
  });

  test('aborts the job when the last caller leaves, and waits until it has settled', async () => {
    const flights = new SingleFlight<string>(new Map());
    let settled = false;
    const leaving = new AbortController();
    const waiting = flights.run(
      'layer',
      async (signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await Promise.resolve();
        settled = true;
        throw signal.reason;
      },
      leaving.signal,
    );

    leaving.abort(new Error('stop'));

    await expect(waiting).rejects.toThrow('stop');
    expect(settled).toBe(true);
  });

  test('starts a new job after an aborted one', async () => {
    const flights = new SingleFlight<string>(new Map());
    const { start, started } = work();
    const leaving = new AbortController();
    const left = flights.run('layer', start, leaving.signal);
    leaving.abort(new Error('stop'));
    const fresh = flights.run('layer', start, never);
    started[1]?.resolve('landed');

    await expect(left).rejects.toThrow('stop');
    expect(await fresh).toBe('landed');
  });

  test('starts no job with an aborted signal', async () => {
    const { start } = work();
    await expect(
      new SingleFlight<string>().run('layer', start, AbortSignal.abort(new Error('stop'))),
    ).rejects.toThrow('stop');
    expect(start).not.toHaveBeenCalled();
  });
});
