import { isAbsolute, resolve } from 'node:path';

import { LIMITS } from '../../limits.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { quote } from '../../quote.ts';

export interface ProgramOptions {
  /** The folder of the file: relative paths begin there. */
  readonly folder: string;
  /** What `{registry}`, `{repository}` and `{tag}` stand for. */
  readonly words?: Readonly<Record<string, string>> | undefined;
  /** Written to standard input. */
  readonly input?: string | undefined;
}

const TIMEOUT_MS = 60_000;

/**
 * Runs a program of the file: words as they are, no shell, no variables of regi. Its output goes to
 * standard error.
 *
 * @throws {RegiError} when it cannot be run, fails, or takes longer than a minute.
 */
export async function runProgram(
  argv: readonly string[],
  { folder, words = {}, input = '' }: ProgramOptions,
  context: Context,
): Promise<void> {
  const { spawn } = await import('node:child_process');
  const [first = '', ...rest] = argv.map((word) =>
    word.replaceAll(/\{(registry|repository|tag)\}/g, (text, name: string) => words[name] ?? text),
  );
  const path = /^\.{1,2}[\\/]/.test(first) && !isAbsolute(first) ? resolve(folder, first) : first;
  const { io, signal, note } = context;
  const env = Object.fromEntries(
    Object.entries(io.env).filter(([name]) => !name.startsWith('REGI_')),
  );
  const failed = (problem: string, cause?: unknown): RegiError =>
    new RegiError('FAILED', `Cannot run ${quote(first)}: ${problem}`, {
      hint: 'run it by hand, with the words that the file gives it',
      cause,
    });
  await new Promise<void>((done, reject) => {
    signal.throwIfAborted();
    const program = spawn(path, rest, { cwd: folder, env, windowsHide: true, stdio: 'pipe' });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-LIMITS.errorBytes);
    };
    let problem: string | undefined;
    const stop = (why: string): void => {
      problem ??= why;
      program.kill('SIGKILL');
    };
    const onAbort = (): void => stop('interrupted');
    const timer = setTimeout(
      () => stop(`expected its end within ${TIMEOUT_MS / 1000} seconds`),
      TIMEOUT_MS,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      for (const line of output.split('\n')) if (line.trim() !== '') note(line);
      settle();
    };
    program.stdout.on('data', keep);
    program.stderr.on('data', keep);
    // A program that reads nothing closes its input.
    program.stdin.on('error', () => undefined);
    program.stdin.end(input);
    program.once('error', (error) => end(() => reject(failed(error.message, error))));
    program.once('exit', (status) =>
      end(() => {
        program.stdout.destroy();
        program.stderr.destroy();
        if (problem === undefined && status === 0) done();
        else reject(failed(problem ?? `expected exit status 0, found ${status ?? 'a signal'}`));
      }),
    );
  });
}
