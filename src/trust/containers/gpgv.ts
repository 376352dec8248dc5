import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { askProgram, type ProgramResult } from '../../credentials/ask-program.ts';
import { guarded } from '../../disk/errno.ts';
import { RegiError } from '../../errors.ts';
import type { CallOptions } from '../../store.ts';
import { parseGpgvStatus } from './gpgv-status.ts';
import type { GpgVerdict } from './requirement.ts';

/** Time for one signature. Milliseconds. */
const TIMEOUT_MS = 30_000;
/** Standard error holds the status lines, of which a part is kept: a longer text is refused. */
const STATUS_BYTES = 4096;

/**
 * Verifies an OpenPGP message with Debian's `gpgv`, whose keyring has nothing but `keyrings` and
 * whose home is empty.
 *
 * @param env the variables of regi, for the search path.
 * @returns the signed bytes. gpgv writes them for a bad signature too, so they are returned for a
 *   good one alone.
 * @throws {RegiError} UNSUPPORTED where gpgv is not installed; FAILED where it does not run.
 */
export async function verifyWithGpgv(
  signature: Uint8Array,
  keyrings: readonly Uint8Array[],
  env: Readonly<Record<string, string | undefined>>,
  { signal }: CallOptions,
): Promise<GpgVerdict> {
  const home = await guarded('create', tmpdir(), mkdtemp(join(tmpdir(), 'regi-gpgv-')));
  try {
    const names = await Promise.all(
      keyrings.map(async (bytes, at) => written(join(home, `keys-${at}.gpg`), bytes)),
    );
    const message = await written(join(home, 'signature'), signature);
    const result = await askProgram(
      'gpgv',
      [
        '--homedir',
        home,
        '--log-file',
        join(home, 'log'),
        '--status-fd',
        '2',
        ...names.flatMap((name) => ['--keyring', name]),
        // Standard output is bounded: a message of some bytes may unpack to gigabytes.
        '--output',
        '-',
        '--',
        message,
      ],
      {
        input: '',
        env: { PATH: env['PATH'], HOME: home, GNUPGHOME: home, LC_ALL: 'C' },
        timeoutMs: TIMEOUT_MS,
        signal,
      },
    );
    return verdictOf(result);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function written(path: string, bytes: Uint8Array): Promise<string> {
  await guarded('write', path, writeFile(path, bytes, { mode: 0o600 }));
  return path;
}

function verdictOf(result: ProgramResult): GpgVerdict {
  if (result.kind === 'missing')
    throw new RegiError('UNSUPPORTED', 'Cannot verify a GPG signature: gpgv is not installed', {
      hint: 'install it: apt install gpgv',
    });
  if (result.kind === 'too-much')
    return { isGood: false, reason: 'its content is longer than that of a signature' };
  if (result.kind !== 'exited')
    throw new RegiError(
      'FAILED',
      `Cannot verify a GPG signature: gpgv ${result.kind === 'timed-out' ? `did not end within ${TIMEOUT_MS / 1000} seconds` : `cannot be run (${result.errno})`}`,
      { hint: 'run it by hand: gpgv --version' },
    );
  const { status, stdout, stderr = '' } = result;
  if (Buffer.byteLength(stderr) >= STATUS_BYTES)
    return { isGood: false, reason: 'gpgv says more about it than about one signature' };
  const read = parseGpgvStatus(stderr);
  if (!read.isGood) return read;
  if (status !== 0) return { isGood: false, reason: `gpgv ended with status ${status}` };
  // Bytes that are no UTF-8 came as this character.
  if (stdout.includes('\u{fffd}')) return { isGood: false, reason: 'its content is not UTF-8' };
  return { isGood: true, fingerprint: read.fingerprint, content: Buffer.from(stdout) };
}
