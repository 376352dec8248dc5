import { open } from 'node:fs/promises';
import { isAbsolute, relative, sep } from 'node:path';

import { InvalidConfigError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { quotePath } from '../quote.ts';
import { errnoOf } from './errno.ts';

/**
 * Reads a configuration file of the user; undefined when it is missing.
 *
 * @param shown names the file in messages.
 * @throws {InvalidConfigError} when it cannot be read, or is over the limit.
 */
export async function readConfigFile(path: string, shown: string): Promise<string | undefined> {
  try {
    const file = await open(path);
    try {
      // Reads one byte over the limit and trusts no size, because it may be a pipe.
      const buffer = Buffer.alloc(LIMITS.credentialFileBytes + 1);
      let size = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, size, buffer.byteLength - size);
        size += bytesRead;
        if (bytesRead === 0 || size === buffer.byteLength) break;
      }
      if (size > LIMITS.credentialFileBytes)
        throw new InvalidConfigError(
          `Cannot read ${quotePath(shown)}: expected at most ${LIMITS.credentialFileBytes} bytes`,
        );
      return buffer.toString('utf8', 0, size).replace(/^\ufeff/, '');
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

/** The path as a person writes it: with `~` for the home folder. */
export function showPath(path: string, home: string): string {
  const inside = relative(home, path);
  return home === '' || inside === '' || inside.startsWith('..') || isAbsolute(inside)
    ? path
    : `~/${inside.split(sep).join('/')}`;
}
