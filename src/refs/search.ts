import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { errnoOf } from '../disk/errno.ts';
import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { findInText, formatOf, type FileFormat, type Surroundings } from './find-in-text.ts';
import type { Findings } from './found.ts';
import { parseEnvFile } from './variables.ts';
import { walkFiles, type WalkOptions } from './walk-files.ts';
import { child, parseYaml, textAt } from './yaml-node.ts';

/** A file that was read, with what was found in it. */
export interface SearchedFile {
  readonly kind: 'read';
  readonly path: string;
  readonly text: string;
  readonly findings: Findings;
  /** True if a link inside a folder leads to it. */
  readonly isLinked: boolean;
}

/** A file that may hold references and was not read. */
export interface UnreadFile {
  readonly kind: 'unread';
  readonly path: string;
  readonly reason: 'binary' | 'chart archive' | 'invalid' | 'large' | 'template' | 'unreadable';
  /** What to do about it, or what is wrong. */
  readonly detail: string;
  /** True for standard input, and for a path that was given and has the name of a format. */
  readonly isExpected: boolean;
}

export interface SearchOptions extends WalkOptions {
  readonly readStdin: () => Promise<Uint8Array>;
}

/** Searches files, folders and `-` for references, file by file. */
export async function* searchFiles(
  paths: readonly string[],
  options: SearchOptions,
): AsyncGenerator<SearchedFile | UnreadFile> {
  if (paths.includes('-')) {
    const input = { shown: '-', format: 'yaml' as const, isExpected: true, isLinked: false };
    yield await searchBytes(await options.readStdin(), input, {});
  }
  const files = walkFiles(
    paths.filter((path) => path !== '-'),
    options,
  );
  for await (const { format, bytes, refusal, ...file } of files) {
    if (format === undefined) continue;
    const { shown, real, isLinked } = file;
    const isExpected =
      file.isNamed && (format === 'chart archive' || formatOf(shown) !== undefined);
    const unread = (reason: UnreadFile['reason'], detail: string): UnreadFile => ({
      kind: 'unread',
      path: shown,
      reason,
      detail,
      isExpected,
    });
    if (refusal !== undefined) yield unread('unreadable', refusal);
    else if (format === 'chart archive') {
      yield unread('chart archive', 'render the chart first: helm template');
    } else if (bytes > LIMITS.searchedFileBytes) yield unread('large', `it has ${bytes} bytes`);
    else {
      const content = await readUnlessRefused(real);
      if (typeof content === 'string') yield unread('unreadable', content);
      else {
        const surroundings = await surroundingsOf(shown, dirname(real));
        yield await searchBytes(content, { shown, format, isExpected, isLinked }, surroundings);
      }
    }
  }
}

interface NamedContent {
  readonly shown: string;
  readonly format: FileFormat;
  readonly isExpected: boolean;
  readonly isLinked: boolean;
}

async function searchBytes(
  bytes: Uint8Array,
  { shown: path, format, isExpected, isLinked }: NamedContent,
  surroundings: Surroundings,
): Promise<SearchedFile | UnreadFile> {
  // Other bytes would not survive a rewrite.
  if (bytes.includes(0) || !isUtf8(bytes)) {
    return { kind: 'unread', path, reason: 'binary', detail: 'it is not UTF-8', isExpected };
  }
  const text = Buffer.from(bytes).toString('utf8');
  try {
    const result = await findInText(path, text, format, surroundings);
    return result.kind === 'unread'
      ? { ...result, path, isExpected }
      : { kind: 'read', path, text, findings: result.findings, isLinked };
  } catch (error) {
    if (!(error instanceof RegiError) || error.code !== 'LIMIT_EXCEEDED') throw error;
    return { kind: 'unread', path, reason: 'large', detail: error.message, isExpected };
  }
}

async function readUnlessRefused(path: string): Promise<Uint8Array | string> {
  try {
    return await readFile(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return errno;
  }
}

async function surroundingsOf(path: string, folder: string): Promise<Surroundings> {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (/values[^/]*\.ya?ml$/i.test(name)) {
    const chart = await readSmall(join(folder, 'Chart.yaml'));
    const { documents = [] } = chart === undefined ? {} : await parseYaml(chart);
    const appVersion = textAt(child(documents[0], 'appVersion'))?.text;
    return appVersion === undefined ? {} : { appVersion };
  }
  if (!/compose/i.test(name)) return {};
  const environment = await readSmall(join(folder, '.env'));
  return environment === undefined ? {} : { environment: parseEnvFile(environment) };
}

/** A neighbour that is missing, unreadable or no file says nothing. */
async function readSmall(path: string): Promise<string | undefined> {
  const bytes = await readUnlessRefused(path);
  return typeof bytes === 'string' || bytes.byteLength > LIMITS.searchedFileBytes
    ? undefined
    : Buffer.from(bytes).toString('utf8');
}
