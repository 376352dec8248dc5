import { credentialOf, type AuthEntry } from '../docker/auth-entry.ts';
import { readConfigFile, showPath } from '../../disk/config-file.ts';
import {
  containersAuthPaths,
  flatAuthPath,
  namedAuthFile,
  normalizeKey,
} from '../containers-auth.ts';
import {
  DOCKER_HUB_KEY,
  dockerKey,
  helperFor,
  hostOfKey,
  parseDockerConfig,
  parseFlatConfig,
  type DockerConfig,
} from '../docker/config.ts';
import { dockerConfigPath, warnOfSkipped, type DockerSourceOptions } from '../docker/source.ts';
import type { ConfigFile } from '../docker/edit-config.ts';
import {
  createHelperRunner,
  CredentialHelperError,
  listOfHelper,
  programOf,
} from '../docker/helper.ts';
import type { KnownLogin } from './list.ts';

export interface FileLoginsOptions extends DockerSourceOptions {
  readonly cwd: string;
  /** Of `--authfile`. */
  readonly authfile?: string | undefined;
}

/** The registry that a key of docker means, as written in references. */
export function registryOfKey(key: string): string {
  const host = hostOfKey(key);
  return key === DOCKER_HUB_KEY || host === 'index.docker.io' ? 'docker.io' : host;
}

/** The logins of the auth file that a flag or variable names; none without one. */
export async function namedFileLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly KnownLogin[]> {
  const named = namedAuthFile(options.authfile, options.env, options.cwd);
  return named === undefined ? [] : containersLogins(named, options, signal);
}

/** The logins of podman and skopeo, where no file is named. */
export async function defaultFileLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly KnownLogin[]> {
  if (namedAuthFile(options.authfile, options.env, options.cwd) !== undefined) return [];
  const logins: KnownLogin[] = [];
  for (const path of containersAuthPaths(options.env, options.home))
    logins.push(...(await containersLogins(path, options, signal)));
  return [...logins, ...(await flatLogins(options))];
}

async function flatLogins({ home, warn }: FileLoginsOptions): Promise<readonly KnownLogin[]> {
  const path = flatAuthPath(home);
  const shown = showPath(path, home);
  const config = parseFlatConfig((await readConfigFile(path, shown)) ?? '', shown);
  warnOfSkipped(config, shown, warn);
  return plainLogins(config, { path, shown, isFlat: true });
}

/** The logins of docker's config.json and of the helpers it names. */
export async function dockerLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly KnownLogin[]> {
  const path = dockerConfigPath(options.env, options.home);
  const shown = showPath(path, options.home);
  const config = await load(path, shown, options);
  const kept = await helperLogins(config, { path, shown }, options, signal);
  const plain = plainLogins(config, { path, shown }).map((login) => {
    const helper = helperFor(config, dockerKey(login.registry));
    return helper === undefined
      ? login
      : { ...login, ignored: `${programOf(helper)} is asked instead` };
  });
  return [...kept, ...plain];
}

async function containersLogins(
  path: string,
  options: FileLoginsOptions,
  signal: AbortSignal | undefined,
): Promise<readonly KnownLogin[]> {
  const shown = showPath(path, options.home);
  const config = await load(path, shown, options);
  const kept = await helperLogins(
    { ...config, credsStore: undefined },
    { path, shown },
    options,
    signal,
  );
  const plain = plainLogins(config, { path, shown }).map((login) => ({
    ...login,
    registry: login.place.kind === 'file' ? normalizeKey(login.place.key) : login.registry,
  }));
  return [...kept, ...plain];
}

async function load(
  path: string,
  shown: string,
  { warn }: FileLoginsOptions,
): Promise<DockerConfig> {
  const config = parseDockerConfig((await readConfigFile(path, shown)) ?? '', shown);
  warnOfSkipped(config, shown, warn);
  return config;
}

function plainLogins({ auths }: DockerConfig, file: ConfigFile): readonly KnownLogin[] {
  return [...auths].flatMap(([key, entry]) =>
    credentialOf(entry) === undefined
      ? []
      : [
          {
            registry: registryOfKey(key),
            username: nameOf(entry),
            origin: file.shown,
            place: { kind: 'file' as const, ...file, key },
          },
        ],
  );
}

function nameOf({ username, registryToken, identityToken }: AuthEntry): string | undefined {
  if (registryToken !== undefined || (identityToken !== undefined && username === undefined))
    return '<token>';
  return username;
}

/** What helpers say they keep. One that cannot list is taken to have what the configuration gives it. */
async function helperLogins(
  { credsStore, credHelpers }: DockerConfig,
  { path, shown }: ConfigFile,
  options: FileLoginsOptions,
  signal: AbortSignal | undefined,
): Promise<readonly KnownLogin[]> {
  const names = new Set(
    [...credHelpers.values(), credsStore].filter((name) => name !== undefined && name !== ''),
  );
  const logins: KnownLogin[] = [];
  for (const name of names) {
    if (name === undefined) continue;
    const listed = await tryToList(name, options, signal);
    const login = (key: string, username: string | undefined): KnownLogin => ({
      registry: registryOfKey(key),
      username,
      origin: programOf(name),
      place: { kind: 'helper', name, key, path, shown },
    });
    const isAskedFor = (key: string): boolean =>
      (credHelpers.get(dockerKey(registryOfKey(key))) ?? credsStore) === name;
    for (const [key, username] of listed ?? [])
      if (isAskedFor(key)) logins.push(login(key, username || undefined));
    for (const [host, helper] of credHelpers) {
      const isListed = [...(listed?.keys() ?? [])].some(
        (key) => registryOfKey(key) === registryOfKey(host),
      );
      if (helper === name && !isListed) logins.push(login(host, undefined));
    }
  }
  return logins;
}

async function tryToList(
  name: string,
  { env, warn, runHelper }: FileLoginsOptions,
  signal: AbortSignal | undefined,
) {
  try {
    return await listOfHelper(name, runHelper ?? createHelperRunner(env), signal);
  } catch (error) {
    if (!(error instanceof CredentialHelperError)) throw error;
    warn(error.message, error.hint);
    return undefined;
  }
}
