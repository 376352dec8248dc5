import { containersAuthFiles, namedAuthFile, normalizeKey } from '../containers-auth.ts';
import {
  AUTH_FILES,
  containersHelpers,
  type ContainersPlacesOptions,
} from '../containers-places.ts';
import { IDENTITY_TOKEN_USER } from '../credential.ts';
import {
  type ConfigFile,
  credentialOf,
  type DockerConfig,
  dockerConfigFile,
  dockerKey,
  helperFor,
  readDockerConfig,
  registryOfKey,
} from '../docker/config.ts';
import {
  createHelperRunner,
  CredentialHelperError,
  listOfHelper,
  programOf,
} from '../docker/helper.ts';

export type FileLoginsOptions = ContainersPlacesOptions;

/** The place of a login, as needed to remove it. */
export type LoginPlace =
  /** Environment variables, which only the user can unset. */
  | { readonly kind: 'variable'; readonly names: readonly string[] }
  | (ConfigFile & { readonly kind: 'file'; readonly key: string })
  /** A helper, and docker's configuration or the auth.json that names it. */
  | (ConfigFile & { readonly kind: 'helper'; readonly name: string; readonly key: string })
  /** A helper that registries.conf names. */
  | { readonly kind: 'listed-helper'; readonly name: string; readonly key: string }
  | { readonly kind: 'keychain'; readonly account: string };

/** A stored login, never with its secret. */
export interface KnownLogin {
  /** As in references; with a namespace if the login is only for that: `registry.example/team`. */
  readonly registry: string;
  /** Undefined if the place cannot tell without the secret. */
  readonly username: string | undefined;
  /** `~/.docker/config.json`, `docker-credential-pass`, `the keychain`. */
  readonly origin: string;
  readonly place: LoginPlace;
  /** Why it is never used, even if it is the only one. */
  readonly ignored?: string | undefined;
}

/** The logins of the auth file that a flag or variable names; none without one. */
export async function namedFileLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly KnownLogin[]> {
  const named = namedAuthFile(options);
  return named === undefined ? [] : containersLogins(named, options, signal);
}

/**
 * The logins of podman and skopeo, in the order of `credential-helpers`; none of their own files if
 * a file is named.
 */
export async function defaultFileLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly KnownLogin[]> {
  const files = namedAuthFile(options) === undefined ? containersAuthFiles(options) : [];
  const logins: KnownLogin[] = [];
  for (const name of await containersHelpers(options)) {
    if (name !== AUTH_FILES) logins.push(...(await listedHelperLogins(name, options, signal)));
    else for (const file of files) logins.push(...(await containersLogins(file, options, signal)));
  }
  return logins;
}

/** The logins for whole registries: podman asks such a helper for nothing else. */
async function listedHelperLogins(
  name: string,
  options: FileLoginsOptions,
  signal: AbortSignal | undefined,
): Promise<readonly KnownLogin[]> {
  const origin = programOf(name);
  return [...(await tryToList(name, options, signal))].flatMap(([key, username]) =>
    registryOfKey(key) === key
      ? [
          {
            registry: key,
            username: username || undefined,
            origin,
            place: { kind: 'listed-helper', name, key },
          },
        ]
      : [],
  );
}

/** The logins of docker's config.json, and of the helpers it names. */
export async function dockerLogins(
  options: FileLoginsOptions,
  signal?: AbortSignal,
): Promise<readonly KnownLogin[]> {
  const file = dockerConfigFile(options);
  const config = await readDockerConfig(file, options.warn);
  const plain = plainLogins(config, file, registryOfKey).map((login) => {
    const helper = helperFor(config, dockerKey(login.registry));
    return helper === undefined
      ? login
      : { ...login, ignored: `${programOf(helper)} is asked instead` };
  });
  return [...(await helperLogins(config, file, options, signal)), ...plain];
}

async function containersLogins(
  file: ConfigFile,
  options: FileLoginsOptions,
  signal: AbortSignal | undefined,
): Promise<readonly KnownLogin[]> {
  const config = { ...(await readDockerConfig(file, options.warn)), credsStore: undefined };
  const registryOf = file.isFlat === true ? registryOfKey : normalizeKey;
  return [
    ...(await helperLogins(config, file, options, signal)),
    ...plainLogins(config, file, registryOf),
  ];
}

function plainLogins(
  { auths }: DockerConfig,
  file: ConfigFile,
  registryOf: (key: string) => string,
): readonly KnownLogin[] {
  return [...auths].flatMap(([key, entry]): readonly KnownLogin[] => {
    const credential = credentialOf(entry);
    if (credential === undefined) return [];
    return [
      {
        registry: registryOf(key),
        username:
          credential.kind === 'registry-token'
            ? IDENTITY_TOKEN_USER
            : (credential.username ?? IDENTITY_TOKEN_USER),
        origin: file.shown,
        place: { kind: 'file', ...file, key },
      },
    ];
  });
}

/** The logins that helpers list. A helper without `list` is assumed to have those of its hosts. */
async function helperLogins(
  { credsStore, credHelpers }: DockerConfig,
  file: ConfigFile,
  options: FileLoginsOptions,
  signal: AbortSignal | undefined,
): Promise<readonly KnownLogin[]> {
  const logins: KnownLogin[] = [];
  for (const name of new Set([...credHelpers.values(), credsStore])) {
    if (name === undefined || name === '') continue;
    const listed = await tryToList(name, options, signal);
    const login = (key: string, username: string | undefined): KnownLogin => ({
      registry: registryOfKey(key),
      username,
      origin: programOf(name),
      place: { kind: 'helper', name, key, ...file },
    });
    const registries = new Set([...listed.keys()].map(registryOfKey));
    for (const [key, username] of listed) {
      const asked = credHelpers.get(dockerKey(registryOfKey(key))) ?? credsStore;
      if (asked === name) logins.push(login(key, username || undefined));
    }
    for (const [host, helper] of credHelpers) {
      if (helper === name && !registries.has(registryOfKey(host)))
        logins.push(login(host, undefined));
    }
  }
  return logins;
}

async function tryToList(
  name: string,
  { env, warn, runHelper = createHelperRunner(env) }: FileLoginsOptions,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  try {
    return await listOfHelper(name, runHelper, signal);
  } catch (error) {
    if (!(error instanceof CredentialHelperError)) throw error;
    warn(error.message, error.hint);
    return new Map();
  }
}
