import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import { errnoOf } from '../../disk/errno.ts';

/** A list of images to move may be long, and is never this long. Bytes. */
const LIST_LIMIT_BYTES = 16 * 1024 * 1024;

/** The text of a `--from` list; `-` is standard input. @throws {ListUnreadableError} */
export async function readList(file: string, { io, signal }: Context): Promise<string> {
  if (file === '-') return io.stdin.read(LIST_LIMIT_BYTES);
  try {
    return await readFile(resolve(io.cwd, file), { encoding: 'utf8', signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw listUnreadableError(file, cause);
  }
}

function listUnreadableError(file: string, cause: unknown): RegiError {
  return new RegiError(
    'NOT_FOUND',
    `Cannot read the list "${file}": ${errnoOf(cause) === 'ENOENT' ? 'there is no such file' : cause instanceof Error ? cause.message : 'unknown reason'}`,
    {
      hint: 'give a file with one image a line, or - for standard input',
      cause,
    },
  );
}
