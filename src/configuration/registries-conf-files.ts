import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';

import { readConfigFile, showPath } from '../disk/config-file.ts';
import { errnoOf } from '../disk/errno.ts';
import { InvalidConfigError } from '../errors.ts';
import type { RegistriesConf } from './registries-conf.ts';

export interface RegistriesConfOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly cwd: string;
  /** `/etc` and `/usr/share` when absent. */
  readonly systemFolders?: readonly string[] | undefined;
}

/** The merged content, and its files. */
export interface LoadedRegistriesConf extends RegistriesConf {
  /** For messages. */
  readonly files: readonly string[];
}

/**
 * Reads the registries.conf of podman and skopeo: the user's, else the first of the system, then
 * the `*.conf` files of all `registries.conf.d` in the order of their names. Of two with the same
 * name, the user's is read. `CONTAINERS_REGISTRIES_CONF` names another main file, which must exist.
 * `CONTAINERS_REGISTRIES_CONF_DIR` names the only folder of drop-ins.
 *
 * @returns undefined when no file is about registries or credential helpers.
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
    ...mergeRegistriesConf(read.map(({ text, shown }) => parseRegistriesConf(text, shown))),
    files: read.map(({ shown }) => shown),
  };
}

/** Distributions ship a file that has only short names. It is skipped without loading a parser. */
const ABOUT_REGISTRIES = /^\s*\[*\s*["']?(?:registr|credential-helpers)/m;

/** The folders in which a `registries.conf` is looked up, the preferred one first. */
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
    const code = errnoOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new InvalidConfigError(`Cannot read "${showPath(folder, home)}": ${String(code)}`, {
      hint: `make it readable: chmod u+r ${showPath(folder, home)}`,
      cause,
    });
  }
}
