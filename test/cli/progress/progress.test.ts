import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createProgress } from '../../../src/cli/progress/create-progress.ts';
import type { Progress } from '../../../src/cli/progress/progress.ts';
import { parseSettings } from '../../../src/cli/parse/settings.ts';
import { StatusArea } from '../../../src/cli/output/status-area.ts';
import { createPaint } from '../../../src/cli/output/paint.ts';
import type { Clock } from '../../../src/clock.ts';
import type { ProgressMode } from '../../../src/context.ts';
import { layer, manifest } from '../../support/images/descriptors.ts';
import { fakeIo, type FakeIo } from '../../support/cli/io.ts';

const MIB = 1024 * 1024;
const BIG = layer('big', 100 * MIB);
const SMALL = layer('small', MIB);
const ROOT = manifest('root');
const TO = 'b.example/app';

describe('plain progress', () => {
  test('prints a line per finished blob and a summary', async () => {
    const { io, area, progress, pass } = open('plain');
    play(progress, pass);
    progress.end(true);
    await area.flush();
    expect(io.stderrText().trimEnd().split('\n')).toEqual([
      'Copying b.example/app:1',
      expect.stringMatching(/^copied {3}sha256:[0-9a-f]{12} {2}100\.0 MiB in 2\.0 s$/),
      expect.stringMatching(/^mounted {2}sha256:[0-9a-f]{12} {4}1\.0 MiB from base$/),
      '1 blob copied (100.0 MiB), 1 mounted in 2.0 s (50.0 MiB/s)',
    ]);
  });

  test('prints the plan with --dry-run, and that nothing was written', async () => {
    const { io, area, progress, pass } = open('auto', { isTTY: true, isPlan: true });
    play(progress, pass);
    progress.end(true);
    await area.flush();
    expect(io.stderrText().trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^upload {3}sha256:[0-9a-f]{12} {2}100\.0 MiB/),
      expect.stringMatching(/^mount {4}sha256:[0-9a-f]{12} {4}1\.0 MiB from base$/),
      'to upload: 1 blob (100.0 MiB), to mount: 1 blob (1.0 MiB); nothing was written',
    ]);
  });

  test('prints one line for an unchanged image', async () => {
    const { io, area, progress } = open('plain');
    progress.onEvent({ kind: 'resolved', image: `${TO}:1`, root: ROOT });
    progress.onEvent({ kind: 'unchanged', image: `${TO}:1`, root: ROOT });
    progress.end(true);
    await area.flush();
    expect(io.stderrText()).toBe('same     b.example/app:1 is unchanged\n');
  });

  test('prints nothing with --json unless --progress asks for it', async () => {
    for (const mode of ['auto', 'plain'] as const) {
      const { io, area, progress, pass } = open(mode, { json: true });
      play(progress, pass);
      progress.end(true);
      await area.flush();
      expect(io.stderrText() === '').toBe(mode === 'auto');
    }
  });

  test('prints no summary if the command failed or transferred nothing', async () => {
    for (const completed of [true, false]) {
      const { io, area, progress } = open('plain');
      if (!completed) progress.onEvent({ kind: 'copied', target: BIG, to: TO });
      progress.end(completed);
      await area.flush();
      expect(io.stderrText()).not.toMatch(/ in \d/);
    }
  });
});

describe('D10: plain progress of a long transfer', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('prints the image at once, and a line after each ten seconds of silence', async () => {
    const { io, area, progress, pass } = open('plain');
    const wait = (ms: number): void => {
      pass(ms);
      vi.advanceTimersByTime(ms);
    };
    progress.onEvent({ kind: 'resolved', image: `${TO}:1`, root: ROOT });
    for (const target of [BIG, SMALL]) progress.onEvent({ kind: 'found', target, to: TO });
    progress.onEvent({ kind: 'started', target: BIG, from: 'a', to: TO });
    await area.flush();
    expect(io.stderrText()).toBe('Copying b.example/app:1\n');
    for (let second = 0; second < 15; second += 1) {
      progress.onEvent({ kind: 'progress', target: BIG, bytes: 4 * MIB, to: TO });
      wait(1000);
    }
    // Another line begins a new silence.
    progress.onEvent({ kind: 'mounted', target: SMALL, from: 'base', to: TO });
    wait(9000);
    await area.flush();
    expect(io.stderrText().split('\n').slice(1)).toEqual([
      'moving   b.example/app:1: 0 of 2 blobs, 40.0 MiB of 101.0 MiB, 4.0 MiB/s, 15 s left',
      expect.stringMatching(/^mounted {2}/),
      '',
    ]);
    wait(1000);
    progress.end(true);
    wait(60_000);
    await area.flush();
    expect(io.stderrText().split('\n').slice(3)).toEqual([
      'moving   b.example/app:1: 1 of 2 blobs, 60.0 MiB of 100.0 MiB, 0 B/s',
      expect.stringMatching(/^1 blob mounted in 25\.0 s/),
      '',
    ]);
  });

  test('names nothing where layers are only read, and still breaks the silence', async () => {
    const { io, area, progress } = open('plain');
    progress.onEvent({ kind: 'found', target: BIG, to: '' });
    await area.flush();
    expect(io.stderrText()).toBe('');
    vi.advanceTimersByTime(10_000);
    progress.end(true);
    await area.flush();
    expect(io.stderrText()).toBe('moving   0 of 1 blob, 0 B of 100.0 MiB\n');
  });

  test('counts the images of a list', async () => {
    const { io, area, progress } = open('plain');
    progress.onEvent({ kind: 'listed', images: 33 });
    progress.onEvent({ kind: 'resolved', image: `${TO}:1`, root: ROOT });
    progress.onEvent({ kind: 'found', target: BIG, to: TO });
    vi.advanceTimersByTime(10_000);
    progress.end(true);
    await area.flush();
    expect(io.stderrText().split('\n').slice(0, 2)).toEqual([
      'Copying 33 images',
      'moving   0 of 33 images, 0 of 1 blob, 0 B of 100.0 MiB',
    ]);
  });
});

describe('plain progress in a CI log that folds lines', () => {
  test.each([
    [
      'GitHub',
      { GITHUB_ACTIONS: 'true' },
      /^::group::Copying b\.example\/app:1\ncopied [^]*\n::endgroup::\n1 blob copied/,
    ],
    [
      'GitLab',
      { GITLAB_CI: 'true' },
      /^\u001b\[0Ksection_start:0:regi\r\u001b\[0KCopying b\.example\/app:1\ncopied [^]*\n\u001b\[0Ksection_end:2:regi\r\u001b\[0K\n1 blob copied/,
    ],
  ])('%s folds the lines of the transfer with --progress plain', async (_name, env, wanted) => {
    for (const mode of ['plain', 'auto'] as const) {
      const { io, area, progress, pass } = open(mode, { env });
      play(progress, pass);
      progress.end(true);
      await area.flush();
      if (mode === 'plain') expect(io.stderrText()).toMatch(wanted);
      else expect(io.stderrText()).toMatch(/^Copying b\.example\/app:1\n/);
    }
  });

  test('nothing is folded where nothing moves', async () => {
    const { io, area, progress } = open('plain', { env: { GITHUB_ACTIONS: 'true' } });
    progress.onEvent({ kind: 'unchanged', image: `${TO}:1`, root: ROOT });
    progress.end(true);
    await area.flush();
    expect(io.stderrText()).not.toContain('::');
  });
});

describe('json progress', () => {
  test('prints every event as an object, bytes added up, and a summary', async () => {
    const { io, area, progress, pass } = open('json');
    play(progress, pass);
    progress.onEvent({ kind: 'failed', image: 'x', error: new Error('broken') });
    progress.end(true);
    await area.flush();
    const lines = io
      .stderrText()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ kind }) => kind)).toEqual(
      [
        'resolved',
        'found',
        'found',
        'started',
        'progress',
        'copied',
        'mounted',
        'copied',
        'tagged',
        'failed',
        'summary',
      ].flatMap((kind) =>
        // One line for the first chunk, and one for the rest at the end.
        kind === 'progress' ? [kind, kind] : [kind],
      ),
    );
    const moved = lines
      .filter(({ kind }) => kind === 'progress')
      .reduce((sum, { bytes }) => sum + Number(bytes), 0);
    expect(moved).toBe(100 * MIB);
    expect(lines[3]).toEqual({
      kind: 'started',
      target: { mediaType: BIG.mediaType, digest: BIG.digest, size: BIG.size },
      from: 'a',
      to: TO,
    });
    expect(lines.at(-2)).toMatchObject({ kind: 'failed', image: 'x', error: { code: 'BUG' } });
    expect(lines.at(-1)).toMatchObject({
      kind: 'summary',
      bytesMoved: 100 * MIB,
      copied: { nodes: 2 },
    });
  });
});

describe('no progress', () => {
  test('prints nothing', async () => {
    const { io, area, progress, pass } = open('none');
    play(progress, pass);
    progress.end(true);
    await area.flush();
    expect(io.stderrText()).toBe('');
  });
});

describe('live progress', () => {
  test('redraws itself and leaves only the summary', async () => {
    const { io, area, progress, pass, frame } = open('auto', { isTTY: true, columns: 100 });
    progress.onEvent({ kind: 'started', target: SMALL, from: 'a', to: 'other/app' });
    for (let count = 0; count < 3; count += 1) await frame();
    expect(shown(io)).toHaveLength(2);
    progress.onEvent({ kind: 'skipped', target: SMALL, to: 'other/app' });
    play(progress, pass);
    await frame();
    progress.end(true);
    await area.flush();
    expect(shown(io)).toEqual([
      '1 blob copied (100.0 MiB), 1 mounted, 1 already there in 2.0 s (50.0 MiB/s)',
    ]);
  });

  test.each([
    [1, `b.example/app:1 is unchanged\n`],
    [2, '2 images unchanged in 0.0 s\n'],
  ])('of %d images says which is unchanged, or how many', async (images, text) => {
    const { io, area, progress } = open('auto', { isTTY: true, columns: 100 });
    progress.onEvent({ kind: 'listed', images });
    for (let count = 0; count < images; count += 1)
      progress.onEvent({ kind: 'unchanged', image: 'b.example/app:1', root: BIG });
    progress.end(true);
    await area.flush();
    expect(io.stderrText()).toBe(text);
  });

  test('does not flash when the command is quick', async () => {
    const { io, area, progress, pass } = open('auto', { isTTY: true, columns: 100 });
    play(progress, pass);
    progress.end(true);
    await area.flush();
    expect(io.stderrText()).toBe('1 blob copied (100.0 MiB), 1 mounted in 2.0 s (50.0 MiB/s)\n');
  });

  test('leaves a clean terminal when the command is interrupted', async () => {
    const { io, area, progress, frame } = open('auto', { isTTY: true, columns: 100 });
    progress.onEvent({ kind: 'started', target: BIG, from: 'a', to: TO });
    await frame();
    expect(shown(io)).toHaveLength(2);
    progress.end(false);
    await area.flush();
    expect(shown(io)).toEqual([]);
  });

  test.each([
    ['the terminal cannot move its cursor', { TERM: 'dumb' }],
    ['a CI job runs at a terminal', { TERM: 'xterm', CI: 'true' }],
  ])('is plain when %s', async (_where, env) => {
    const { io, area, progress, pass } = open('auto', { isTTY: true, env });
    play(progress, pass);
    await area.flush();
    expect(io.stderrText()).toMatch(/^copied {3}sha256:/m);
  });
});

interface OpenOptions {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly env?: Record<string, string>;
  readonly isPlan?: boolean;
  readonly json?: boolean;
}

function open(
  mode: ProgressMode,
  { isPlan = false, json = false, ...options }: OpenOptions = {},
): {
  io: FakeIo;
  area: StatusArea;
  progress: Progress;
  pass: (ms: number) => void;
  frame: () => Promise<void>;
} {
  let now = 0;
  const frames: (() => void)[] = [];
  const clock: Clock = {
    now: () => now,
    random: () => 0,
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        frames.push(resolve);
        signal?.addEventListener('abort', () => reject(new Error('stopped')));
      }),
  };
  const io = fakeIo({ ...options, clock });
  const area = new StatusArea(io.stderr, createPaint(false));
  const settings = parseSettings({ progress: mode, json }, io);
  const frame = async (): Promise<void> => {
    for (const resolve of frames.splice(0)) resolve();
    await setImmediate();
    await area.flush();
  };
  return {
    io,
    area,
    progress: createProgress(settings, { isPlan }, io, area),
    pass: (ms) => (now += ms),
    frame,
  };
}

/** Copies one image: a big layer in two seconds, a small mounted one, and the manifest. */
function play(progress: Progress, pass: (ms: number) => void): void {
  progress.onEvent({ kind: 'resolved', image: `${TO}:1`, root: ROOT });
  for (const target of [BIG, SMALL]) progress.onEvent({ kind: 'found', target, to: TO });
  progress.onEvent({ kind: 'started', target: BIG, from: 'a', to: TO });
  for (let chunk = 0; chunk < 100; chunk += 1)
    progress.onEvent({ kind: 'progress', target: BIG, bytes: MIB, to: TO });
  pass(2000);
  progress.onEvent({ kind: 'copied', target: BIG, to: TO });
  progress.onEvent({ kind: 'mounted', target: SMALL, from: 'base', to: TO });
  progress.onEvent({ kind: 'copied', target: { ...ROOT, size: 0 }, to: TO });
  progress.onEvent({ kind: 'tagged', image: `${TO}:1`, root: ROOT });
}

/**
 * Returns the lines that a terminal shows in the end. Knows cursor-up, erase-line and erase-down.
 */
function shown(io: FakeIo): readonly string[] {
  const lines: string[] = [''];
  let row = 0;
  for (const [token] of io.stderrText().matchAll(/\u001b\[\??\d*[A-Za-z]|\r|\n|[^\u001b\r\n]+/g)) {
    const up = /^\u001b\[(\d+)A$/.exec(token);
    if (up !== null) row -= Number(up[1]);
    else if (token === '\u001b[0J') lines.splice(row, lines.length - row, '');
    else if (token === '\u001b[2K') lines[row] = '';
    else if (token === '\n') {
      row += 1;
      lines[row] ??= '';
    } else if (!token.startsWith('\u001b') && token !== '\r')
      lines[row] = `${lines[row] ?? ''}${token}`;
  }
  return lines.filter((line) => line !== '');
}
