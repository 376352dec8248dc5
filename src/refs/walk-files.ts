import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { errnoOf, guarded, unlessErrno } from '../disk/errno.ts';
import { RegiError, UsageError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { quote } from '../quote.ts';
import { formatOf, type FileFormat } from './find-in-text.ts';

/** A file below the paths, with the format that its name says. */
export interface ListedFile {
  /** The path to show: as it was given, with `/`. */
  readonly shown: string;
  /** The path without links. */
  readonly real: string;
  readonly format: FileFormat | 'chart archive' | undefined;
  readonly bytes: number;
  /** True if the path was given, and not found in a folder. */
  readonly isNamed: boolean;
  /** True if a link inside a folder leads to it. */
  readonly isLinked: boolean;
  /** Set for a file or folder that cannot be opened: the error's code. */
  readonly refusal?: string | undefined;
}

export interface WalkOptions {
  readonly cwd: string;
  readonly signal: AbortSignal;
  readonly maximum?: number | undefined;
}

const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(['.git', 'node_modules']);

/**
 * Lists the files of paths, folders with all below them, each file once and in the order of names.
 * A link is followed where it leads out of the paths.
 *
 * @throws {RegiError} NOT_FOUND for a path that does not exist, USAGE for one that is a pipe or a
 *   device, LIMIT_EXCEEDED for more than `maximum` files.
 */
export async function* walkFiles(
  paths: readonly string[],
  { cwd, signal, maximum = LIMITS.searchedFiles }: WalkOptions,
): AsyncGenerator<ListedFile> {
  const seen = new Set<string>();
  const named: { readonly shown: string; readonly real: string }[] = [];
  for (const shown of paths) {
    const resolving = guarded('find', shown, realpath(resolvedIn(cwd, shown)));
    const real = await unlessErrno(['ENOENT', 'ENOTDIR', 'ELOOP'], resolving);
    if (real === undefined) throw missing(shown);
    named.push({ shown, real });
  }
  let count = 0;
  for (const { shown, real } of named) {
    for await (const file of walk({ shown, real, isNamed: true, isLinked: false, isFile: false })) {
      count += 1;
      if (count > maximum) {
        throw new RegiError('LIMIT_EXCEEDED', `Cannot search more than ${maximum} files`, {
          hint: 'name the folders with manifests instead of one above them',
        });
      }
      yield file;
    }
  }

  async function* walk(entry: Entry): AsyncGenerator<ListedFile> {
    signal.throwIfAborted();
    const { shown, isNamed, isFile } = entry;
    const format = formatByName(entry);
    if (isFile && format === undefined) {
      yield { ...entry, format, bytes: 0 };
      return;
    }
    if (seen.has(entry.real)) return;
    seen.add(entry.real);
    const found = await unlessRefused(stat(entry.real));
    if (typeof found === 'string') yield { ...entry, format, bytes: 0, refusal: found };
    else if (found?.isDirectory() === true) yield* walkFolder(entry);
    else if (found?.isFile() === true) yield { ...entry, format, bytes: found.size };
    else if (isNamed && found !== undefined) throw noFile(shown);
  }

  async function* walkFolder(folder: Entry): AsyncGenerator<ListedFile> {
    const found = await unlessRefused(readdir(folder.real, { withFileTypes: true }));
    if (typeof found === 'string') {
      yield { ...folder, format: 'yaml', bytes: 0, refusal: found };
      return;
    }
    const sorted = (found ?? []).toSorted((one, other) => (one.name < other.name ? -1 : 1));
    for (const below of sorted) {
      if (SKIPPED_FOLDERS.has(below.name)) continue;
      const entry = await entryBelow(folder, below);
      if (entry !== undefined) yield* walk(entry);
    }
  }

  async function entryBelow(folder: Entry, below: Dirent): Promise<Entry | undefined> {
    const { shown } = folder;
    const child = {
      shown: shown === '.' ? below.name : `${shown.replace(/\/+$/, '')}/${below.name}`,
      real: join(folder.real, below.name),
      isNamed: false,
      isLinked: folder.isLinked,
      isFile: below.isFile(),
    };
    if (!below.isSymbolicLink()) return child;
    const real = await realpath(child.real).catch(() => undefined);
    if (real === undefined) return undefined;
    // The target of a link within the paths is found in its place, if it is read by that name.
    const isInside = named.some((root) => `${real}/`.startsWith(`${root.real}/`));
    if (isInside && formatOf(real) === formatOf(child.shown)) return undefined;
    return { ...child, real, isLinked: true };
  }
}

interface Entry {
  /** The path to show. */
  readonly shown: string;
  /** The path without links. */
  readonly real: string;
  readonly isNamed: boolean;
  readonly isLinked: boolean;
  /** True if the folder says that it is a regular file. */
  readonly isFile: boolean;
}

function formatByName({ shown, isNamed }: Entry): ListedFile['format'] {
  const isPacked = isNamed ? shown.endsWith('.tgz') : /(?:^|\/)charts\/[^/]+\.tgz$/.test(shown);
  // A file that is named has a reason to be: without a known name it is read as YAML.
  return formatOf(shown) ?? (isPacked ? 'chart archive' : isNamed ? 'yaml' : undefined);
}

function resolvedIn(cwd: string, path: string): string {
  return path.startsWith('/') ? path : join(cwd, path);
}

/** The result, undefined for what has gone, or the code of a refusal by the file system. */
async function unlessRefused<T>(operation: Promise<T>): Promise<T | string | undefined> {
  try {
    return await operation;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    if (errno === undefined) throw error;
    return errno;
  }
}

function missing(path: string): RegiError {
  return new RegiError('NOT_FOUND', `Cannot find ${quote(path)}: there is no such file or folder`, {
    hint: 'give files, folders, or - for standard input',
  });
}

function noFile(path: string): RegiError {
  return new UsageError(`Cannot search ${quote(path)}: it is neither a file nor a folder`, {
    hint: 'pipe the text instead: COMMAND | regi refs find -',
  });
}
