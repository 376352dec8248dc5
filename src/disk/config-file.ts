import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';

import { InvalidConfigError } from '../errors.ts';
import { systemClock } from '../clock.ts';
import { LIMITS } from '../limits.ts';
import { quotePath } from '../quote.ts';
import { errnoOf, unlessErrno } from './errno.ts';

/** Does not wait for the writer of a pipe. Windows has no such flag. */
const OPEN_FLAGS = constants.O_RDONLY + (constants.O_NONBLOCK ?? 0);

/**
 * How long a pipe may have no writer, and a writer write nothing: it may ask a person for a
 * passphrase.
 */
const PIPE = { everyMs: 20, noWriterMs: 5000, silentMs: 60_000 };

/**
 * Reads a configuration file of the user as text, without a byte order mark; undefined when it is
 * missing.
 *
 * @throws {InvalidConfigError} as `readConfigBytes()`.
 */
export async function readConfigFile(
  path: string,
  shown: string,
  noWriterMs?: number,
): Promise<string | undefined> {
  const bytes = await readConfigBytes(path, shown, noWriterMs);
  return bytes?.toString('utf8').replace(/^\ufeff/, '');
}

/**
 * Reads a configuration file of the user; undefined when it is missing.
 *
 * @param shown names the file in messages.
 * @param noWriterMs how long a pipe may have no writer.
 * @throws {InvalidConfigError} when it cannot be read, or is over the limit.
 */
export async function readConfigBytes(
  path: string,
  shown: string,
  noWriterMs: number = PIPE.noWriterMs,
): Promise<Buffer | undefined> {
  try {
    const file = await open(path, OPEN_FLAGS);
    try {
      const stats = await file.stat();
      if (stats.isDirectory())
        throw new InvalidConfigError(
          `Cannot read ${quotePath(shown)}: expected a file, and it is a folder`,
          { hint: 'move it away' },
        );
      const next = stats.isFIFO() ? pipeReader(file, shown, noWriterMs) : readNext(file);
      // Reads one byte over the limit and trusts no size, because it may be a pipe.
      const buffer = Buffer.alloc(LIMITS.credentialFileBytes + 1);
      let size = 0;
      for (;;) {
        const bytesRead = await next(buffer, size);
        size += bytesRead;
        if (bytesRead === 0 || size === buffer.byteLength) break;
      }
      if (size > LIMITS.credentialFileBytes)
        throw new InvalidConfigError(
          `Cannot read ${quotePath(shown)}: expected at most ${LIMITS.credentialFileBytes} bytes`,
        );
      return buffer.subarray(0, size);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof InvalidConfigError) throw cause;
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw new InvalidConfigError(
      `Cannot read ${quotePath(shown)}: ${errno ?? 'it cannot be opened'}`,
      { hint: `make it readable: chmod u+r ${shown}`, cause },
    );
  }
}

type ReadNext = (buffer: Buffer, at: number) => Promise<number>;

function readNext(file: FileHandle): ReadNext {
  return async (buffer, at) => (await file.read(buffer, at, buffer.byteLength - at)).bytesRead;
}

/**
 * Reads a pipe that was opened without waiting for its writer. Without a writer it reads as ended,
 * and with a silent one it is EAGAIN.
 */
function pipeReader(file: FileHandle, shown: string, noWriterMs: number): ReadNext {
  const read = readNext(file);
  return async (buffer, at) => {
    let hasWriter = false;
    for (let ms = 0; ms < (hasWriter ? PIPE.silentMs : noWriterMs); ms += PIPE.everyMs) {
      const bytesRead = await unlessErrno(['EAGAIN'], read(buffer, at));
      if (bytesRead !== undefined && (bytesRead > 0 || at > 0)) return bytesRead;
      hasWriter = bytesRead === undefined;
      await systemClock.sleep(PIPE.everyMs);
    }
    throw new InvalidConfigError(
      `Cannot read ${quotePath(shown)}: it is a pipe, and no program writes to it`,
      { hint: 'replace it with a file' },
    );
  };
}

/** The path as a person writes it: with `~` for the home folder. */
export function showPath(path: string, home: string): string {
  const inside = relative(home, path);
  return home === '' || inside === '' || inside.startsWith('..') || isAbsolute(inside)
    ? path
    : `~/${inside.split(sep).join('/')}`;
}
