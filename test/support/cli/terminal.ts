import { chmodSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { afterFile } from '../cleanup.ts';
import { requireTool } from '../programs/real-tools.ts';
import { runOrThrow } from '../programs/run-program.ts';
import { ROOT } from '../root.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const BIN = join(ROOT, 'bin/regi.js');

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  /** Added to PATH with `regi` in it, an empty HOME and UTF-8. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A program at a terminal of its own, inside tmux. */
export interface Terminal {
  /** Types; names such as `Tab`, `Enter` and `C-c` are keys. */
  keys(...keys: readonly string[]): Promise<void>;
  /** What stands on the screen, without spaces at the ends of lines, and what has scrolled off above it. */
  screen(): Promise<string>;
  /** The same without what has scrolled off. */
  visible(): Promise<string>;
  /** Waits until the screen matches, two minutes when nothing else is said. @throws {Error} with the screen when it does not in time. */
  until(pattern: RegExp, patienceMs?: number): Promise<string>;
  resize(columns: number, rows: number): Promise<void>;
}

const PATIENCE_MS = 120_000;

/** Starts a program in a terminal of that size. It ends with the test file. */
export async function openTerminal(
  command: readonly string[],
  { columns = 100, rows = 30, env = {}, cwd }: TerminalOptions = {},
): Promise<Terminal> {
  const socket = join(temporaryFolder('tmux'), 'socket');
  const variables = {
    PATH: pathWithRegi(),
    HOME: temporaryFolder('home'),
    LC_ALL: 'C.UTF-8',
    TERM: 'screen-256color',
    HISTFILE: '/dev/null',
    ...env,
  };
  const tmux = (...args: readonly string[]): Promise<string> =>
    runOrThrow(requireTool('tmux'), ['-S', socket, '-f', '/dev/null', ...args], { env: variables });
  await tmux(
    '-u',
    'new-session',
    '-d',
    '-x',
    `${columns}`,
    '-y',
    `${rows}`,
    '-c',
    cwd ?? temporaryFolder('cwd'),
    '--',
    ...command,
  );
  // What ends is still looked at.
  await tmux('set-option', '-g', 'remain-on-exit', 'on');
  await tmux('set-option', '-g', 'status', 'off');
  await tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`);
  afterFile(async () => {
    // What the program has started is ended first, and waited for: it may be writing where folders are about to be removed.
    await tmux('send-keys', 'C-c', 'C-c');
    const own = basename(command[0] ?? '');
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
      if ((await tmux('display-message', '-p', '#{pane_current_command}')).trim() === own) break;
    }
    await tmux('kill-server');
  });
  const capture = async (...from: readonly string[]): Promise<string> =>
    (await tmux('capture-pane', '-p', ...from)).replace(/[ \t]+$/gm, '').replace(/\n+$/, '\n');
  const screen = (): Promise<string> => capture('-S', '-200');
  return {
    keys: async (...keys) => void (await tmux('send-keys', '--', ...keys)),
    screen,
    visible: () => capture(),
    async until(pattern, patienceMs = PATIENCE_MS) {
      for (const end = Date.now() + patienceMs; ;) {
        const text = await screen();
        if (pattern.test(text)) return text;
        if (Date.now() > end)
          throw new Error(`Expected ${String(pattern)} on the screen, found\n${text}`);
        await setImmediate();
      }
    },
    resize: async (width, height) =>
      void (await tmux('resize-window', '-x', `${width}`, '-y', `${height}`)),
  };
}

/** A PATH on which `regi` is the built one. */
export function pathWithRegi(): string {
  const folder = temporaryFolder('bin');
  chmodSync(BIN, 0o755);
  symlinkSync(BIN, join(folder, 'regi'));
  return [folder, dirname(process.execPath), process.env['PATH'] ?? ''].join(':');
}
