import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { LIMITS } from '../limits.ts';
import { findInText, type FileFormat, type Surroundings } from './find-in-text.ts';
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
}

/** A file that may hold references and was not read. */
export interface UnreadFile {
  readonly kind: 'unread';
  readonly path: string;
  readonly reason: 'binary' | 'chart archive' | 'invalid' | 'large' | 'template';
  /** What to do about it, or what is wrong. */
  readonly detail: string;
}

export interface SearchOptions extends WalkOptions {
  readonly readStdin: () => Promise<string>;
  readonly maximumBytes?: number | undefined;
}

/** Searches files, folders and `-` for references, file by file. */
export async function* searchFiles(
  paths: readonly string[],
  options: SearchOptions,
): AsyncGenerator<SearchedFile | UnreadFile> {
  const { cwd, maximumBytes = LIMITS.searchedFileBytes } = options;
  for (const path of paths) {
    if (path === '-') yield await searchText('-', await options.readStdin(), 'yaml', {});
    else {
      for await (const file of walkFiles([path], options)) {
        if (file.format === undefined) continue;
        const full = file.path.startsWith('/') ? file.path : join(cwd, file.path);
        if (file.format === 'chart archive') {
          yield unread(file.path, 'chart archive', 'render the chart first: helm template');
        } else if (file.bytes > maximumBytes) {
          yield unread(file.path, 'large', `it has ${file.bytes} bytes`);
        } else {
          const bytes = await readFile(full);
          if (bytes.includes(0)) yield unread(file.path, 'binary', 'it is no text');
          else {
            const surroundings = await surroundingsOf(file.path, dirname(full));
            yield await searchText(file.path, bytes.toString('utf8'), file.format, surroundings);
          }
        }
      }
    }
  }
}

async function searchText(
  path: string,
  text: string,
  format: FileFormat,
  surroundings: Surroundings,
): Promise<SearchedFile | UnreadFile> {
  const result = await findInText(path, text, format, surroundings);
  return result.kind === 'unread'
    ? unread(path, result.reason, result.detail)
    : { kind: 'read', path, text, findings: result.findings };
}

function unread(path: string, reason: UnreadFile['reason'], detail: string): UnreadFile {
  return { kind: 'unread', path, reason, detail };
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
  try {
    const text = await readFile(path, 'utf8');
    return text.length > LIMITS.searchedFileBytes ? undefined : text;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}
