import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

import { InterruptedError } from '../../errors.ts';
import type { AskOptions } from '../../io.ts';
import type { InputStream, OutputStream } from './streams.ts';

export interface AskAtTerminalOptions extends AskOptions {
  readonly input: InputStream;
  readonly screen: OutputStream;
  readonly question: string;
}

/**
 * Asks for one line at a terminal; undefined at the end of input (Ctrl-D).
 *
 * @throws {InterruptedError} at Ctrl-C: while keys are read one by one, the terminal sends no signal for it.
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
    // By now the terminal echoes nothing: who types as soon as there is a question is not shown.
    if (hidden) screen.write(question);
    let isOver = false;
    const finish = (settle: () => void, after: string): void => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener('abort', onAbort);
      // Gives the terminal its echo back. Its listeners stay: readline's own among them stop it from listening to the keys.
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

/** Where readline echoes a password to. */
function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
