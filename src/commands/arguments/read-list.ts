import { resolve } from 'node:path';

import { LimitExceededError } from '../../bytes.ts';
import type { Context } from '../../context.ts';
import { errnoOf } from '../../disk/errno.ts';
import { readLocalFile } from '../../disk/input-file.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { isLockValue } from '../../targets/lock-file.ts';

/** A list of images may be long, but is never longer than this. Bytes. */
const LIST_LIMIT_BYTES = 16 * 1024 * 1024;

/**
 * Reads the list of `--from`; `-` is standard input.
 *
 * @param limit most bytes that are read.
 * @throws {RegiError} NOT_FOUND when it cannot be read; LIMIT_EXCEEDED when it is longer.
 */
export async function readList(
  file: string,
  { io, signal }: Context,
  limit = LIST_LIMIT_BYTES,
): Promise<string> {
  if (file === '-') return io.stdin.read(limit);
  try {
    const bytes = await readLocalFile(resolve(io.cwd, file), limit, { signal });
    return Buffer.from(bytes).toString('utf8');
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof LimitExceededError) throw cause;
    const reason = cause instanceof Error ? cause.message : 'unknown reason';
    throw new RegiError(
      'NOT_FOUND',
      `Cannot read ${quote(file)}: ${errnoOf(cause) === 'ENOENT' ? 'there is no such file' : reason}`,
      { hint: 'check the path; - is standard input', cause },
    );
  }
}

/** Refuses manifests of Kubernetes and other YAML as a list. @throws {UsageError} */
export function refuseYaml(file: string): void {
  if (/\.ya?ml$/i.test(file))
    throw new UsageError(`Cannot use ${quote(file)} as a list of images: it is YAML`, {
      hint: `type: regi refs lock ${file} -o images.lock, then --from images.lock`,
    });
}

/** Returns the name of a list for messages. */
export function listName(file: string): string {
  return file === '-' ? 'standard input' : quote(file);
}

/**
 * Parses the lines of a list, which have one or two words. Empty lines and comments are skipped,
 * and so are the `key=value` words of a lock.
 *
 * @param list its name and the form of its lines, for messages.
 * @param parse throws a RegiError that completes "Cannot use line 3 of the list: ".
 * @throws {RegiError} naming the line, with the code and hint of that error.
 */
export async function parseLines<Line>(
  text: string,
  { name, form }: { readonly name: string; readonly form: string },
  parse: (
    words: readonly [first: string, second: string | undefined],
    line: number,
    isLock: boolean,
  ) => Promise<Line>,
): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for (const [index, whole] of text.split('\n').entries()) {
    const all = whole
      .replace(/(?:^|\s)#.*$/s, '')
      .trim()
      .split(/\s+/);
    const words = all.filter((word) => !isLockValue(word));
    const [first = '', second] = words;
    if (first === '') continue;
    try {
      if (words.length > 2)
        throw new UsageError(`expected "${form}", found ${words.length} words`, {
          hint: 'write at most two names a line, separated by a space',
        });
      lines.push(await parse([first, second], index + 1, words.length < all.length));
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      throw new RegiError(error.code, `Cannot use line ${index + 1} of ${name}: ${error.message}`, {
        hint: error.hint,
        details: { line: index + 1 },
        cause: error,
      });
    }
  }
  return lines;
}
