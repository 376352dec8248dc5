import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { type ProcessIdentity, type Processes, systemProcesses } from '../../src/disk/processes.ts';
import { withLock, type LockOptions } from '../../src/disk/lock.ts';
import { instantClock } from '../support/clock.ts';
import { leftovers } from '../support/images/layout-folder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const OWN: ProcessIdentity = { pid: 1000, host: 'here', space: '', started: '7' };
const OTHER: ProcessIdentity = { pid: 2000, host: 'here', space: '', started: '8' };

let folder: string;
let path: string;

beforeEach(() => {
  folder = temporaryFolder('lock');
  path = join(folder, '.regi.lock');
});

/** A machine on which only the processes of `running` run. */
function options(
  running: readonly ProcessIdentity[],
  changes: Omit<LockOptions, 'processes'> = {},
): LockOptions & { readonly processes: Processes } {
  const processes: Processes = {
    self: async () => OWN,
    isGone: async ({ pid, started }) =>
      !running.some((process) => process.pid === pid && process.started === started),
  };
  return { clock: instantClock(), processes, ...changes };
}

describe('withLock()', () => {
  test('withLock() writes pid, host and start into the lock and removes it afterwards', async () => {
    const held = await withLock(path, options([OWN]), async () => readFileSync(path, 'utf8'));
    expect([JSON.parse(held), leftovers(folder)]).toEqual([OWN, []]);
  });

  test('withLock() releases the lock when the work fails', async () => {
    const problem = new Error('no');
    const failing = withLock(path, options([OWN]), () => Promise.reject(problem));
    await expect(failing).rejects.toBe(problem);
    expect(leftovers(folder)).toEqual([]);
  });

  test('withLock() runs one task at a time', async () => {
    const order: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await new Promise(setImmediate);
      order.push(`${name} ends`);
    };
    await Promise.all([
      withLock(path, options([OWN]), work('a')),
      withLock(path, options([OWN]), work('b')),
    ]);
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  test('withLock() fails with LOCKED and names the holder after 10 seconds', async () => {
    writeFileSync(path, JSON.stringify(OTHER));
    const clock = instantClock();
    const start = clock.now();
    const waiting = withLock(path, options([OWN, OTHER], { clock }), async () => undefined);
    await expect(waiting).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining('process 2000 on "here"'),
    });
    expect([clock.now() - start, readFileSync(path, 'utf8')]).toEqual([
      10_000,
      JSON.stringify(OTHER),
    ]);
  });

  test('withLock() counts the time of each look as waiting', async () => {
    writeFileSync(path, JSON.stringify(OTHER));
    const clock = instantClock();
    const base = options([OWN, OTHER], { clock });
    const processes: Processes = {
      ...base.processes,
      async isGone(process) {
        clock.advance(1000);
        return base.processes.isGone(process);
      },
    };
    await expect(
      withLock(path, { ...base, processes }, async () => undefined),
    ).rejects.toMatchObject({ code: 'LOCKED' });
    expect(clock.sleeps.length).toBeLessThan(12);
  });

  test('withLock() waits no longer when the clock is set back', async () => {
    writeFileSync(path, JSON.stringify(OTHER));
    const clock = instantClock();
    const base = options([OWN, OTHER], { clock, onWait: () => clock.advance(-3_600_000) });
    await expect(withLock(path, base, async () => undefined)).rejects.toMatchObject({
      code: 'LOCKED',
    });
    expect(clock.sleeps.reduce((sum, ms) => sum + ms, 0)).toBe(10_000);
  });

  test('withLock() is silent about a lock that is held for a moment', async () => {
    writeFileSync(path, JSON.stringify(OTHER));
    const messages: string[] = [];
    const clock = instantClock();
    const sleep: typeof clock.sleep = async (ms, signal) => {
      await clock.sleep(ms, signal);
      if (clock.sleeps.length === 3) rmSync(path);
    };
    const base = options([OWN, OTHER], {
      clock: { ...clock, sleep },
      onWait: (message) => messages.push(message),
    });
    expect([await withLock(path, base, async () => 'done'), messages]).toEqual(['done', []]);
  });

  test('withLock() names the holder once when it waits longer', async () => {
    writeFileSync(path, JSON.stringify(OTHER));
    const messages: string[] = [];
    const waiting = withLock(
      path,
      options([OWN, OTHER], { onWait: (message) => messages.push(message) }),
      async () => undefined,
    );
    await expect(waiting).rejects.toThrow('Cannot lock');
    expect(messages).toEqual([
      `Waiting for process 2000 on "here", which holds ${JSON.stringify(path)}`,
    ]);
  });

  test('withLock() takes over the lock of an ended process', async () => {
    writeFileSync(path, JSON.stringify(OTHER));
    const clock = instantClock();
    const held = await withLock(path, options([OWN], { clock }), async () =>
      readFileSync(path, 'utf8'),
    );
    expect([JSON.parse(held), clock.sleeps, leftovers(folder)]).toEqual([OWN, [], []]);
  });

  test('withLock() keeps the lock when another process has taken it over first', async () => {
    writeFileSync(path, JSON.stringify(OTHER));
    const faster: ProcessIdentity = { ...OTHER, pid: 3000 };
    const base = options([OWN, faster]);
    const processes: Processes = {
      ...base.processes,
      async isGone(process) {
        // Between the look at the lock and its removal.
        if (process.pid === OTHER.pid) writeFileSync(path, JSON.stringify(faster));
        return base.processes.isGone(process);
      },
    };
    await expect(
      withLock(path, { ...base, processes }, async () => undefined),
    ).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining('process 3000'),
    });
    expect(readFileSync(path, 'utf8')).toBe(JSON.stringify(faster));
  });

  test('withLock() continues when a process was killed during a take-over', async () => {
    const text = JSON.stringify(OTHER);
    writeFileSync(path, text);
    writeFileSync(
      `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`,
      JSON.stringify({ ...OTHER, pid: 3000 }),
    );
    expect([await withLock(path, options([OWN]), async () => 'done'), leftovers(folder)]).toEqual([
      'done',
      [],
    ]);
  });

  test('withLock() takes over the lock of an earlier process of the same pid', async () => {
    writeFileSync(path, JSON.stringify({ ...OTHER, started: '1' }));
    expect(await withLock(path, options([OWN, OTHER]), async () => 'done')).toBe('done');
  });

  test.each([
    '',
    '{',
    '[]',
    '{"pid":"1"}',
    '{"pid":-1,"host":"h","space":"","started":""}',
    '{"pid":0,"host":"h","space":"","started":""}',
  ])('withLock() does not take over a lock that contains %j', async (text) => {
    writeFileSync(path, text);
    await expect(withLock(path, options([OWN]), async () => undefined)).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining('an unknown process'),
    });
    expect(existsSync(path)).toBe(true);
  });

  test('withLock() rejects with the reason when the signal aborts while it waits', async () => {
    writeFileSync(path, JSON.stringify(OTHER));
    const reason = new Error('stop');
    const controller = new AbortController();
    const waiting = withLock(
      path,
      options([OWN, OTHER], { signal: controller.signal, onWait: () => controller.abort(reason) }),
      async () => undefined,
    );
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('withLock() with staleMs', () => {
  test('takes over a lock that one holder keeps for staleMs', async () => {
    writeFileSync(path, 'of a process in another container');
    const clock = instantClock();
    expect(await withLock(path, options([OWN], { clock, staleMs: 3000 }), async () => 'done')).toBe(
      'done',
    );
    const slept = clock.sleeps.reduce((sum, ms) => sum + ms, 0);
    expect([slept >= 3000, slept < 3100, leftovers(folder)]).toEqual([true, true, []]);
  });

  test('fails with LOCKED when holders take turns', async () => {
    let turns = 0;
    const clock = instantClock();
    const sleep: typeof clock.sleep = async (ms, signal) => {
      await clock.sleep(ms, signal);
      writeFileSync(path, `holder ${(turns += 1)}`);
    };
    writeFileSync(path, 'holder 0');
    const base = options([OWN], { clock: { ...clock, sleep }, staleMs: 3000 });
    await expect(withLock(path, base, async () => 'done')).rejects.toMatchObject({
      code: 'LOCKED',
    });
  });

  test('leaves a lock that another process has taken over', async () => {
    await withLock(path, options([OWN], { staleMs: 3000 }), async () => {
      rmSync(path);
      writeFileSync(path, 'of the next one');
    });
    expect(readFileSync(path, 'utf8')).toBe('of the next one');
  });
});

describe('systemProcesses', () => {
  test('isGone() is false for this process', async () => {
    expect(await systemProcesses.isGone(await systemProcesses.self())).toBe(false);
  });

  test.runIf(process.platform === 'linux')(
    'isGone() is true for an earlier process of the same pid',
    async () => {
      expect(
        await systemProcesses.isGone({ ...(await systemProcesses.self()), started: '1' }),
      ).toBe(true);
    },
  );

  test('isGone() is true when no process has the pid', async () => {
    // Above the largest pid that Linux gives (4194304).
    expect(
      await systemProcesses.isGone({ ...(await systemProcesses.self()), pid: 4_194_305 }),
    ).toBe(true);
  });

  test.each([{ host: 'another' }, { space: 'pid:[1]' }])(
    'isGone() is never certain of %j',
    async (where) => {
      expect(
        await systemProcesses.isGone({
          ...(await systemProcesses.self()),
          pid: 4_194_305,
          ...where,
        }),
      ).toBe(false);
    },
  );
});
