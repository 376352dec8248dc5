import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

import { readConfigFile, showPath } from '../disk/config-file.ts';
import { InvalidConfigError } from '../errors.ts';
import type { RegistriesConf } from './registries-conf.ts';

export interface RegistriesConfOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly cwd: string;
  /** Folders as `/etc` and `/usr/share`; these two when absent. */
  readonly systemFolders?: readonly string[] | undefined;
}

/** What was read, and from which files. */
export interface LoadedRegistriesConf {
  readonly conf: RegistriesConf;
  /** As a person writes them. */
  readonly files: readonly string[];
}

/**
 * Reads the registries.conf that podman and skopeo read: the user's, else the first of the system's, then the `*.conf` of all
 * `registries.conf.d` in the order of their names, where of two with one name the user's counts. `CONTAINERS_REGISTRIES_CONF` names another
 * main file, which must be there, and `CONTAINERS_REGISTRIES_CONF_DIR` the only folder of drop-ins.
 *
 * @returns undefined when there is none that speaks of registries.
 * @throws {InvalidConfigError} when one cannot be read or is malformed.
 */
export async function readRegistriesConf(
  options: RegistriesConfOptions,
): Promise<LoadedRegistriesConf | undefined> {
  const { home } = options;
  const read: { readonly shown: string; readonly text: string }[] = [];
  for (const path of [...(await mainFile(options)), ...(await dropIns(options))]) {
    const shown = showPath(path, home);
    const text = await readConfigFile(path, shown);
    if (text !== undefined) read.push({ shown, text });
  }
  if (!read.some(({ text }) => ABOUT_REGISTRIES.test(text))) return undefined;
  const { mergeRegistriesConf, parseRegistriesConf } = await import('./registries-conf.ts');
  return {
    conf: mergeRegistriesConf(read.map(({ text, shown }) => parseRegistriesConf(text, shown))),
    files: read.map(({ shown }) => shown),
  };
}

/** A file with short names alone, as distributions ship it, says nothing to us: it costs no parser. */
const ABOUT_REGISTRIES = /^\s*\[*\s*["']?registr/m;

/** The folders that may hold a `registries.conf`, the one that counts most first. */
function folders({
  env,
  home,
  systemFolders = ['/etc', '/usr/share'],
}: RegistriesConfOptions): readonly string[] {
  return [env['XDG_CONFIG_HOME'] || join(home, '.config'), ...systemFolders].map((folder) =>
    join(folder, 'containers'),
  );
}

async function mainFile(options: RegistriesConfOptions): Promise<readonly string[]> {
  const { env, cwd, home } = options;
  const named = env['CONTAINERS_REGISTRIES_CONF'] ?? '';
  const candidates =
    named === ''
      ? folders(options).map((folder) => join(folder, 'registries.conf'))
      : [resolve(cwd, named)];
  for (const path of candidates) {
    if ((await readConfigFile(path, showPath(path, home))) !== undefined) return [path];
  }
  if (named === '') return [];
  throw new InvalidConfigError(
    `Cannot find "${named}": expected the file that CONTAINERS_REGISTRIES_CONF names`,
    {
      hint: 'correct CONTAINERS_REGISTRIES_CONF, or unset it',
    },
  );
}

async function dropIns(options: RegistriesConfOptions): Promise<readonly string[]> {
  const { env, cwd, home } = options;
  const named = env['CONTAINERS_REGISTRIES_CONF_DIR'] ?? '';
  const places =
    named === ''
      ? folders(options).map((folder) => join(folder, 'registries.conf.d'))
      : [resolve(cwd, named)];
  const byName = new Map<string, string>();
  for (const folder of places) {
    for (const name of await confFiles(folder, home))
      if (!byName.has(name)) byName.set(name, join(folder, name));
  }
  return [...byName.values()].toSorted((a, b) => (basename(a) < basename(b) ? -1 : 1));
}

async function confFiles(folder: string, home: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.conf'));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new InvalidConfigError(`Cannot read "${showPath(folder, home)}": ${String(code)}`, {
      hint: 'make it readable',
      cause,
    });
  }
}
