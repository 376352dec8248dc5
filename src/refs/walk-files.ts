import type { Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { errnoOf } from '../disk/errno.ts';
import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { quote } from '../quote.ts';
import { formatOf, type FileFormat } from './find-in-text.ts';

/** A file below the paths, with the format that its name says. */
export interface ListedFile {
  /** As the path was given, with `/`. */
  readonly path: string;
  readonly format: FileFormat | 'chart archive' | undefined;
  readonly bytes: number;
}

export interface WalkOptions {
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly maximum?: number | undefined;
}

const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['.git', 'node_modules']);

/**
 * Lists the files of paths, folders with all below them, each file once and in the order of names.
 * A link is followed; a folder that a link leads back to is not walked again.
 *
 * @throws {RegiError} NOT_FOUND for a path that does not exist, LIMIT_EXCEEDED for more than
 *   `maximum` files.
 */
export async function* walkFiles(
  paths: readonly string[],
  { cwd, signal, maximum = LIMITS.searchedFiles }: WalkOptions,
): AsyncGenerator<ListedFile> {
  const seen = new Set<string>();
  let count = 0;
  for (const path of paths) {
    for await (const file of walk(path, resolvedIn(cwd, path), true)) {
      count += 1;
      if (count > maximum) {
        throw new RegiError('LIMIT_EXCEEDED', `Cannot search more than ${maximum} files`, {
          hint: 'name the folders with manifests instead of one above them',
        });
      }
      yield file;
    }
  }

  async function* walk(shown: string, real: string, isNamed: boolean): AsyncGenerator<ListedFile> {
    signal.throwIfAborted();
    const found = await statOf(real);
    if (found === undefined) {
      if (isNamed) throw missing(shown);
      return;
    }
    if (found.isDirectory()) {
      const key = await realpath(real);
      if (seen.has(key)) return;
      seen.add(key);
      const names = (await readdir(real)).toSorted();
      for (const name of names) {
        if (SKIPPED_FOLDERS.has(name)) continue;
        yield* walk(
          shown === '.' ? name : `${shown.replace(/\/+$/, '')}/${name}`,
          join(real, name),
          false,
        );
      }
    } else if (found.isFile()) {
      const format =
        formatOf(shown) ??
        (/(?:^|\/)charts\/[^/]+\.tgz$/.test(shown) ? 'chart archive' : undefined);
      // A file that is named has a reason to be: without a known name it is read as YAML.
      yield { path: shown, format: format ?? (isNamed ? 'yaml' : undefined), bytes: found.size };
    }
  }
}

function resolvedIn(cwd: string, path: string): string {
  return path.startsWith('/') ? path : join(cwd, path);
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') return undefined;
    throw error;
  }
}

function missing(path: string): RegiError {
  return new RegiError('NOT_FOUND', `Cannot find ${quote(path)}: there is no such file or folder`, {
    hint: 'give files, folders, or - for standard input',
  });
}
