import { errnoOf } from '../../disk/errno.ts';
import type { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { printable } from '../../redact.ts';
import type { Bytes, CallOptions } from '../../store.ts';
import { feed } from '../../tar/decompress.ts';
import { invalidCompression } from '../../tar/zstd-frames.ts';

/** Compressions that Node does not have, named like their programs. */
export type ForeignCompression = 'xz' | 'bzip2';

export interface UnpackProgramOptions extends CallOptions {
  /** Its PATH finds the program; that of the system when absent. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The beginning of what a program writes to standard error. Bytes. */
const STDERR_BYTES = 4096;

/**
 * Unpacks content with the installed `xz` or `bzip2`, while it is read. The caller limits what it
 * reads.
 *
 * @throws {RegiError} INVALID_ARCHIVE while iterating, on damaged content, and when there is no such
 *   program.
 */
export async function* unpackedByProgram(
  content: Bytes,
  program: ForeignCompression,
  { env = {}, signal }: UnpackProgramOptions,
): AsyncGenerator<Uint8Array> {
  const { spawn } = await import('node:child_process');
  signal?.throwIfAborted();
  const child = spawn(program, ['-dc'], {
    // Without the user's options for xz and bzip2, and with a limit: xz has none by itself.
    env: { PATH: env['PATH'], XZ_DEFAULTS: `--memlimit-decompress=${LIMITS.xzMemoryBytes}` },
    // Windows looks for programs in this folder first, and not every user may write to it.
    cwd: '/',
    stdio: 'pipe',
    windowsHide: true,
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(0, STDERR_BYTES);
  });
  // The program may end without reading its input.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<Ended>((resolve) => {
    child.once('error', (error) => resolve({ errno: errnoOf(error) ?? 'unknown error' }));
    child.once('close', (status) => resolve({ status }));
  });
  let failure: { readonly error: unknown } | undefined;
  const feeding = feed(child.stdin, content).catch((error: unknown) => {
    failure = { error };
    stop();
  });
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const end = await ended;
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure.error;
    if (end.status !== 0) throw failed(program, end, stderr);
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
    child.stdin.destroy();
    await feeding;
  }
}

type Ended =
  | { readonly errno: string; readonly status?: undefined }
  /** Null when a signal ended it. */
  | { readonly errno?: undefined; readonly status: number | null };

function failed(program: ForeignCompression, { errno, status }: Ended, stderr: string): RegiError {
  if (errno !== undefined)
    return invalidCompression(
      `Cannot unpack ${program}: ${errno === 'ENOENT' ? `there is no program "${program}" on PATH` : `the system does not run the program "${program}" (${errno})`}`,
      { hint: `install ${program}, or unpack it where it is installed: ${program} -d FILE` },
    );
  const said = printable(stderr.trim(), 200);
  return invalidCompression(
    `Cannot unpack ${program}: the program ended with status ${status ?? 'of a signal'}${said === '' ? '' : ` and said "${said}"`}`,
    { hint: 'the file is damaged or incomplete; copy it here again' },
  );
}
