import { chmodSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { afterFile } from '../cleanup.ts';
import { requireTool } from '../programs/real-tools.ts';
import { endProcessesOf, runOrThrow } from '../programs/run-program.ts';
import { ROOT } from '../root.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const BIN = join(ROOT, 'bin/regi.js');

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  /** Added to an environment of PATH with `regi`, an empty HOME and UTF-8. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A program in its own terminal, inside tmux. */
export interface Terminal {
  /** Types; names such as `Tab` and `C-c` are keys. */
  keys(...keys: readonly string[]): Promise<void>;
  /**
   * Types a line with Enter. From then on `until()` ignores the lines that were on the screen
   * before.
   */
  enter(line: string): Promise<void>;
  /**
   * The text of the screen and of up to 200 lines that scrolled off above it, without spaces at
   * line ends.
   */
  screen(): Promise<string>;
  /** The text of the screen alone. */
  visible(): Promise<string>;
  /**
   * Waits until the text since the last `enter()` matches, and returns that text. The default
   * patience is two minutes.
   *
   * @throws {Error} with the screen when it does not match in time.
   */
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
  // The screen of a program that has ended can still be read.
  await tmux('set-option', '-g', 'remain-on-exit', 'on');
  await tmux('set-option', '-g', 'status', 'off');
  await tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`);
  afterFile(async () => {
    // tmux sets it for the program and its children.
    await endProcessesOf(`TMUX=${socket},`);
    await tmux('kill-server');
  });
  const capture = async (...from: readonly string[]): Promise<string> =>
    (await tmux('capture-pane', '-p', ...from)).replace(/[ \t]+$/gm, '').replace(/\n+$/, '\n');
  const screen = (): Promise<string> => capture('-S', '-200');
  const keys = async (...names: readonly string[]): Promise<void> =>
    void (await tmux('send-keys', '--', ...names));
  let before = '';
  return {
    keys,
    async enter(line) {
      before = await screen();
      await keys(line, 'Enter');
    },
    screen,
    visible: () => capture(),
    async until(pattern, patienceMs = PATIENCE_MS) {
      for (const end = Date.now() + patienceMs; ;) {
        const text = newLines(before, await screen());
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

/** The lines of `now` from the first that differs from `before`. */
function newLines(before: string, now: string): string {
  const [old, lines] = [before.split('\n'), now.split('\n')];
  const first = lines.findIndex((line, index) => line !== old[index]);
  return first === -1 ? '' : lines.slice(first).join('\n');
}

/** Returns a PATH whose `regi` is the built one. */
export function pathWithRegi(): string {
  const folder = temporaryFolder('bin');
  chmodSync(BIN, 0o755);
  symlinkSync(BIN, join(folder, 'regi'));
  return [folder, dirname(process.execPath), process.env['PATH'] ?? ''].join(':');
}
