import { setImmediate } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createContext } from '../../../src/cli/create-context.ts';
import { Failures } from '../../../src/cli/output/failures.ts';
import { createPaint } from '../../../src/cli/output/paint.ts';
import { StatusArea } from '../../../src/cli/output/status-area.ts';
import { parseSettings } from '../../../src/cli/parse/settings.ts';
import { createProgress } from '../../../src/cli/progress/create-progress.ts';
import type { Context } from '../../../src/context.ts';
import { deferred } from '../../support/deferred.ts';
import { fakeIo, type FakeIo, type FakeIoOptions } from '../../support/cli/io.ts';
import { layer } from '../../support/images/descriptors.ts';

describe('wait()', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('wait() shows nothing of a wait that is shorter than 300 ms', async () => {
    const { io, context } = open({ isTTY: true });
    const work = deferred();
    const waiting = context.wait('Reading app.tar', () => work.promise);
    await pass(299);
    work.resolve();
    await waiting;
    await pass(1000);
    expect(io.stderrText()).toBe('');
  });

  test('wait() shows a longer one, moves, and leaves nothing behind', async () => {
    const { io, context, area } = open({ isTTY: true, env: { LANG: 'C.UTF-8' } });
    const work = deferred();
    const waiting = context.wait('Reading app.tar', () => work.promise);
    await pass(300);
    await expect.poll(() => io.stderrText(), TIMELESS).toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] Reading app\.tar\n/);
    work.resolve();
    await waiting;
    await area.flush();
    // The line is erased: the cursor goes up and erases what is below.
    expect(io.stderrText().endsWith('\r\u001b[1A\u001b[0J')).toBe(true);
    const drawn = io.stderrText();
    await pass(1000);
    expect(io.stderrText()).toBe(drawn);
  });

  test('wait() is no wider than the terminal, escapes names, and uses ASCII where it has to', async () => {
    const { io, context } = open({ isTTY: true, columns: 40 });
    const work = deferred();
    void context.wait(`Reading \u001b[2J${'x'.repeat(60)}.tar`, () => work.promise);
    await pass(300);
    await expect
      .poll(() => io.stderrText(), TIMELESS)
      .toMatch(/[-\\|/] Reading \\x1b\[2Jx+\.\.\.\n/);
    const line = /[-\\|/] Reading .*/.exec(io.stderrText())?.[0] ?? '';
    expect(line.length).toBeLessThan(40);
    work.resolve();
  });

  test.each([
    ['in a pipe', { isTTY: false }],
    ['in a CI job', { isTTY: true, env: { CI: 'true' } }],
    ['with --json', { isTTY: true, json: true }],
    ['with --quiet', { isTTY: true, quiet: true }],
  ])('wait() shows nothing %s', async (_where, options) => {
    const { io, context } = open(options);
    const work = deferred();
    const waiting = context.wait('Planning', () => work.promise);
    await pass(5000);
    work.resolve();
    await waiting;
    expect(io.stderrText()).toBe('');
  });

  test('wait() leaves the terminal to a transfer that is drawn', async () => {
    const { io, context } = open({ isTTY: true });
    context.onEvent({ kind: 'started', target: layer('a', 10), from: 'a', to: 'b' });
    const work = deferred();
    const waiting = context.wait('Waiting for the keychain', () => work.promise);
    await pass(1000);
    work.resolve();
    await waiting;
    expect(io.stderrText()).not.toContain('keychain');
  });

  test('wait() passes failures on, and ends the wait', async () => {
    const { io, context } = open({ isTTY: true });
    await expect(context.wait('Planning', () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    );
    await pass(1000);
    expect(io.stderrText()).toBe('');
  });
});

/** Polls without the timers that are fake. */
const TIMELESS = { interval: 0 };

async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await setImmediate();
}

function open({
  json = false,
  quiet = false,
  ...options
}: FakeIoOptions & { readonly json?: boolean; readonly quiet?: boolean }): {
  io: FakeIo;
  area: StatusArea;
  context: Context;
} {
  const io = fakeIo(options);
  const area = new StatusArea(io.stderr, createPaint(false));
  const settings = parseSettings({ json, quiet }, io);
  const progress = createProgress(settings, { isPlan: false }, io, area);
  return { io, area, context: createContext(io, settings, progress, area, new Failures()) };
}
