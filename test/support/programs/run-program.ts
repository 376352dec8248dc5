import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

export interface RunOptions {
  /** The whole environment of the program: it inherits nothing from the test. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly input?: string | Uint8Array | undefined;
  /** The program is killed after this; 10 minutes when absent. */
  readonly timeoutMs?: number | undefined;
}

export interface Finished {
  /** The exit status, or 128 + the number of the signal, as in a shell. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcessWithoutNullStreams;
  /** Output so far. */
  readonly output: { stdout: string; stderr: string };
  /** Resolves when the program has ended and all its output is read. */
  readonly finished: Promise<Finished>;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/**
 * Starts a program and collects its output. Never blocks the event loop: servers that the program
 * talks to may run in this process.
 */
export function startProgram(
  path: string,
  args: readonly string[],
  { env, cwd, input, timeoutMs = 600_000 }: RunOptions,
): Running {
  const child = spawn(path, args, { env, cwd, timeout: timeoutMs, killSignal: 'SIGKILL' });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (output.stderr += text));
  // A program may end without reading its input.
  child.stdin.on('error', () => undefined).end(input);
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) =>
      resolve(status ?? 128 + (SIGNAL_NUMBERS[signal ?? ''] ?? 0)),
    );
  });
  return { process: child, output, finished: ended.then((status) => ({ status, ...output })) };
}

/** Runs a program to its end, whatever its exit status. */
export function runProgram(
  path: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Finished> {
  return startProgram(path, args, options).finished;
}

/**
 * Runs a program that has to succeed, and returns its standard output.
 *
 * @throws {Error} with its standard error when it fails.
 */
export async function runOrThrow(
  path: string,
  args: readonly string[],
  options: RunOptions,
): Promise<string> {
  const { status, stdout, stderr } = await runProgram(path, args, options);
  if (status !== 0)
    throw new Error(`Cannot run ${path} ${args.join(' ')}: exit status ${status}\n${stderr}`);
  return stdout;
}

/**
 * Kills every process that has a variable in its environment which begins with `prefix`
 * (`NAME=value`), and waits for its end: a program in the background may be writing to a folder
 * that is about to be removed. Finds none without /proc.
 */
export async function endProcessesOf(prefix: string): Promise<void> {
  for (let pids = processesOf(prefix); pids.length > 0; pids = processesOf(prefix)) {
    for (const pid of pids) kill(pid);
    await setTimeout(10);
  }
}

function processesOf(prefix: string): readonly number[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => environmentOf(pid).some((variable) => variable.startsWith(prefix)));
}

/** Empty for a process that has ended, including a zombie. */
function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
