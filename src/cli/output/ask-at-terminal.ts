import { createInterface } from 'node:readline';
import { type Readable, Writable } from 'node:stream';

import { InterruptedError } from '../../errors.ts';
import type { AskOptions } from '../../io.ts';

export interface AskAtTerminalOptions extends AskOptions {
  readonly input: Readable;
  readonly screen: Writable;
  readonly question: string;
}

/**
 * Asks for one line at a terminal. Resolves to undefined at the end of input (Ctrl-D).
 *
 * @throws {InterruptedError} at Ctrl-C. In raw mode the terminal sends no signal for it.
 */
export function askAtTerminal({
  input,
  screen,
  question,
  hidden,
  signal,
}: AskAtTerminalOptions): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const lines = createInterface({
      input,
      output: hidden ? nowhere() : screen,
      terminal: true,
      historySize: 0,
      tabSize: 1,
    });
    // The echo is already off, so keys typed before the question appears stay invisible too.
    if (hidden) screen.write(question);
    let isOver = false;
    const finish = (settle: () => void, after: string): void => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener('abort', onAbort);
      // Restores the echo. Listeners on `input` must stay: readline needs its own to stop reading
      // keys.
      lines.close();
      if (after !== '') screen.write(after);
      settle();
    };
    const onAbort = (): void => finish(() => reject(signal.reason), '\n');
    signal.addEventListener('abort', onAbort, { once: true });
    lines.on('SIGINT', () => finish(() => reject(new InterruptedError('SIGINT')), '\n'));
    lines.on('close', () => finish(() => resolve(undefined), '\n'));
    lines.on('error', (error) => finish(() => reject(error), '\n'));
    lines.question(hidden ? '' : question, (line) =>
      finish(() => resolve(line), hidden ? '\n' : ''),
    );
  });
}

/** Discards the echo of a password. */
function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
