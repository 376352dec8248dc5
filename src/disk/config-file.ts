import { open } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';

import { LIMITS } from '../limits.ts';
import { InvalidConfigError } from '../errors.ts';

/**
 * Reads a file of the user's configuration; undefined when there is none.
 *
 * @throws {InvalidConfigError} when it is there and cannot be read, or is over the bound.
 */
export async function readConfigFile(path: string, shown: string): Promise<string | undefined> {
  try {
    const file = await open(path);
    try {
      // One byte over the bound is asked for, and no size believed: it may be a pipe.
      const buffer = Buffer.alloc(LIMITS.credentialFileBytes + 1);
      let size = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, size, buffer.byteLength - size);
        size += bytesRead;
        if (bytesRead === 0 || size === buffer.byteLength) break;
      }
      if (size > LIMITS.credentialFileBytes)
        throw new InvalidConfigError(
          `Cannot read "${shown}": expected at most ${LIMITS.credentialFileBytes} bytes`,
        );
      return buffer.toString('utf8', 0, size).replace(/^\ufeff/, '');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof InvalidConfigError) throw cause;
    const code = errnoOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new InvalidConfigError(`Cannot read "${shown}": ${code ?? 'it cannot be opened'}`, {
      hint: `make it readable: chmod u+r ${shown}`,
      cause,
    });
  }
}

/** The path as a person writes it: with `~` for the home folder. */
export function showPath(path: string, home: string): string {
  const inside = relative(home, path);
  return home === '' || inside === '' || inside.startsWith('..') || isAbsolute(inside)
    ? path
    : `~/${inside.split(sep).join('/')}`;
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
