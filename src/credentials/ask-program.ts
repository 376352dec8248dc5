import { errnoOf } from '../disk/errno.ts';
import { LIMITS } from '../limits.ts';

/** How a program ended. */
export type ProgramResult =
  /** The status is -1 when a signal ended it. */
  | { readonly kind: 'exited'; readonly status: number; readonly stdout: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'too-much' };

export interface AskProgramOptions {
  /** Written to its standard input, which is then closed. */
  readonly input: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

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
      stdio: ['pipe', 'pipe', 'ignore'],
      windowsHide: true,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      // SIGKILL: a program that waits for a keyring may not handle any other signal.
      program.kill('SIGKILL');
      // A grandchild may hold the pipe open after the program has ended.
      program.stdout.destroy();
      settle();
    };
    const onAbort = (): void => finish(() => reject(signal?.reason));
    const timer = setTimeout(() => finish(() => resolve({ kind: 'timed-out' })), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    program.on('error', (error) =>
      finish(() => (isMissing(error) ? resolve({ kind: 'missing' }) : reject(error))),
    );
    program.once('close', (status) =>
      finish(() =>
        resolve({
          kind: 'exited',
          status: status ?? -1,
          stdout: Buffer.concat(chunks).toString('utf8'),
        }),
      ),
    );
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

function isMissing(error: Error): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOENT' || errno === 'ENOTDIR';
}
