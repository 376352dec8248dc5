import { describe, expect, test } from 'vitest';

import { Lanes, type LaneWidths } from '../../src/concurrency/lanes.ts';

const never = new AbortController().signal;
const LARGE = 100 * 1024 * 1024;

/** A transfer that stays in its lane until it is released. */
function transfer(lanes: Lanes, places: readonly string[], size: number) {
  let running = false;
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const done = lanes.run(places, size, never, async () => {
    running = true;
    await gate;
  });
  return { done, release: () => release(), isRunning: () => running };
}

/** Lets everything that can run now run. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

describe('Lanes.run()', () => {
  test('limits each host to its own widths', async () => {
    const lanes = new Lanes((place) => (place === 'narrow' ? { both: 1 } : { small: 2, large: 2 }));
    const transfers = ['narrow', 'narrow', 'wide', 'wide'].map((place) =>
      transfer(lanes, [place], 10),
    );
    await turns();
    expect(transfers.map(({ isRunning }) => isRunning())).toEqual([true, false, true, true]);
    for (const { release } of transfers) release();
    await Promise.all(transfers.map(({ done }) => done));
  });

  test('limits the transfers of one host, and starts the next when one ends', async () => {
    const lanes = new Lanes({ small: 2, large: 1 });
    const transfers = [0, 1, 2].map(() => transfer(lanes, ['a'], 10));
    await turns();
    expect(transfers.map(({ isRunning }) => isRunning())).toEqual([true, true, false]);

    transfers[0]?.release();
    await turns();

    expect(transfers[2]?.isRunning()).toBe(true);
    for (const { release } of transfers) release();
    await Promise.all(transfers.map(async ({ done }) => done));
  });

  test('narrows a lane in use when the host becomes slow', async () => {
    let widths: LaneWidths = { small: 3, large: 2 };
    const lanes = new Lanes(() => widths);
    const first = [0, 1, 2].map(() => transfer(lanes, ['a'], 10));
    const later = [0, 1, 2].map(() => transfer(lanes, ['a'], 10));
    await turns();

    widths = { small: 1, large: 1 };
    const last = transfer(lanes, ['a'], 10);
    for (const { release } of first) release();
    await turns();

    expect([...first, ...later, last].map(({ isRunning }) => isRunning())).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    for (const { release } of [...later, last]) release();
    await Promise.all([...first, ...later, last].map(({ done }) => done));
  });

  test('narrows one lane for both when the host becomes slow', async () => {
    let widths: LaneWidths = { both: 3 };
    const lanes = new Lanes(() => widths);
    const first = transfer(lanes, ['a'], 10);
    widths = { both: 1 };
    const second = transfer(lanes, ['a'], LARGE);
    await turns();
    expect([first, second].map(({ isRunning }) => isRunning())).toEqual([true, false]);
    for (const { release } of [first, second]) release();
    await Promise.all([first.done, second.done]);
  });

  test('never lets small blobs wait behind large ones', async () => {
    const lanes = new Lanes({ small: 1, large: 1 });
    const [first, second, small] = [
      transfer(lanes, ['a'], LARGE),
      transfer(lanes, ['a'], LARGE),
      transfer(lanes, ['a'], 10),
    ];
    await turns();
    expect([first, second, small].map(({ isRunning }) => isRunning())).toEqual([true, false, true]);
    for (const { release } of [first, second, small]) release();
    await Promise.all([first.done, second.done, small.done]);
  });

  test('counts large and small ones together when one width is given for both', async () => {
    const lanes = new Lanes({ both: 1 });
    const [large, small] = [transfer(lanes, ['a', 'b'], LARGE), transfer(lanes, ['a', 'b'], 10)];
    await turns();
    expect([large, small].map(({ isRunning }) => isRunning())).toEqual([true, false]);
    for (const { release } of [large, small]) release();
    await Promise.all([large.done, small.done]);
  });

  test('lets copies in opposite directions finish', async () => {
    const lanes = new Lanes({ small: 1, large: 1 });
    const there = transfer(lanes, ['a', 'b'], LARGE);
    const back = transfer(lanes, ['b', 'a'], LARGE);
    there.release();
    back.release();
    await expect(Promise.all([there.done, back.done])).resolves.toBeDefined();
  });

  test('takes one slot of a host that is source and destination', async () => {
    const lanes = new Lanes({ small: 1, large: 1 });
    const within = transfer(lanes, ['a', 'a'], 10);
    within.release();
    await expect(within.done).resolves.toBeUndefined();
  });

  test('does not start work whose signal was aborted while it waited', async () => {
    const lanes = new Lanes({ small: 1, large: 1 });
    const first = transfer(lanes, ['a'], 10);
    const controller = new AbortController();
    let started = false;
    const second = lanes.run(['a'], 10, controller.signal, async () => {
      started = true;
    });
    controller.abort(new Error('stop'));
    first.release();

    await expect(second).rejects.toThrow('stop');
    expect(started).toBe(false);
  });

  test('runs yielding work last, and otherwise in order', async () => {
    const lanes = new Lanes({ small: 1, large: 1 });
    const first = transfer(lanes, ['a'], 10);
    const order: string[] = [];
    const waiting = [
      ['new image', true],
      ['begun image', false],
      ['another new image', true],
    ] as const;
    const done = waiting.map(([name, yields]) =>
      lanes.run(['a'], 10, never, async () => order.push(name), { yields }),
    );
    first.release();
    await Promise.all([first.done, ...done]);
    expect(order).toEqual(['begun image', 'new image', 'another new image']);
  });

  test('releases a place only once when the work leaves it early', async () => {
    const lanes = new Lanes({ small: 1, large: 1 });
    let end = (): void => {};
    const gate = new Promise<void>((resolve) => (end = resolve));
    const first = lanes.run(['a', 'b'], 10, never, async (leave) => {
      leave('a');
      leave('a');
      await gate;
    });
    await turns();
    const [second, third, other] = [
      transfer(lanes, ['a'], 10),
      transfer(lanes, ['a'], 10),
      transfer(lanes, ['b'], 10),
    ];
    await turns();
    expect([second, third, other].map(({ isRunning }) => isRunning())).toEqual([
      true,
      false,
      false,
    ]);

    end();
    await first;
    await turns();

    expect([second, third, other].map(({ isRunning }) => isRunning())).toEqual([true, false, true]);
    for (const { release } of [second, third, other]) release();
    await Promise.all([second.done, third.done, other.done]);
  });

  test('releases its places when the work fails', async () => {
    const lanes = new Lanes({ small: 1, large: 1 });
    await expect(
      lanes.run(['a', 'b'], 10, never, () => Promise.reject(new Error('broken'))),
    ).rejects.toThrow('broken');
    await expect(lanes.run(['a', 'b'], 10, never, async () => 'next')).resolves.toBe('next');
  });
});
