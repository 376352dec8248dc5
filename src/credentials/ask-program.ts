import { errnoOf } from '../disk/errno.ts';
import { LIMITS } from '../limits.ts';

/** How a program ended. */
export type ProgramResult =
  /** The status is -1 when a signal ended it. */
  | {
      readonly kind: 'exited';
      readonly status: number;
      readonly stdout: string;
      /** The beginning of what it wrote to standard error. */
      readonly stderr?: string | undefined;
    }
  | { readonly kind: 'missing' }
  /** The system does not run it: `EACCES` for a file without the permission. */
  | { readonly kind: 'not-runnable'; readonly errno: string }
  | { readonly kind: 'timed-out'; readonly timeoutMs: number }
  | { readonly kind: 'too-much' };

export interface AskProgramOptions {
  /** Written to its standard input, which is then closed. */
  readonly input: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of standard error that are kept. */
const STDERR_BYTES = 4096;
/**
 * A child of the program may hold its pipes open; output that was written before its end arrives
 * within this time.
 */
const STRAY_MS = 250;

/**
 * Runs a program with one text as its input, and returns its output. Secrets travel through pipes,
 * which other users cannot read.
 */
export async function askProgram(
  path: string,
  args: readonly string[],
  { input, env, timeoutMs, signal }: AskProgramOptions,
): Promise<ProgramResult> {
  // Loaded lazily: most commands run no program, and Node compiles this module in each process.
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason);
    const program = spawn(path, args, {
      env: { ...env },
      stdio: 'pipe',
      windowsHide: true,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    let stderr = Buffer.alloc(0);
    let strays: NodeJS.Timeout | undefined;
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      clearTimeout(strays);
      signal?.removeEventListener('abort', onAbort);
      // SIGKILL: a program that waits for a keyring may not handle any other signal.
      program.kill('SIGKILL');
      // A grandchild may hold the pipe open after the program has ended.
      program.stdout.destroy();
      program.stderr.destroy();
      settle();
    };
    const onAbort = (): void => finish(() => reject(signal?.reason));
    const timer = setTimeout(
      () => finish(() => resolve({ kind: 'timed-out', timeoutMs })),
      timeoutMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    program.on('error', (error) => {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ENOTDIR') finish(() => resolve({ kind: 'missing' }));
      else if (errno === undefined) finish(() => reject(error));
      else finish(() => resolve({ kind: 'not-runnable', errno }));
    });
    const ended = (status: number | null): void =>
      finish(() =>
        resolve({
          kind: 'exited',
          status: status ?? -1,
          stdout: Buffer.concat(chunks).toString('utf8'),
          stderr: stderr.toString('utf8'),
        }),
      );
    program.once('close', ended);
    program.once('exit', (status) => {
      strays = setTimeout(() => ended(status), STRAY_MS);
    });
    program.stderr.on('data', (chunk: Buffer) => {
      if (stderr.byteLength < STDERR_BYTES)
        stderr = Buffer.concat([stderr, chunk]).subarray(0, STDERR_BYTES);
    });
    program.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > LIMITS.helperBytes) finish(() => resolve({ kind: 'too-much' }));
    });
    // The program may end without reading its input.
    program.stdin.on('error', () => undefined);
    program.stdin.end(input);
  });
}
