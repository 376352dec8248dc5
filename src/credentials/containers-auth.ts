import { join, resolve } from 'node:path';

import { printable } from '../redact.ts';
import { credentialOf } from './docker/auth-entry.ts';
import { readConfigFile, showPath } from '../disk/config-file.ts';
import type { CredentialSource, FoundCredential } from './credential.ts';
import {
  hostOfKey,
  parseDockerConfig,
  parseFlatConfig,
  type DockerConfig,
} from './docker/config.ts';
import { IDENTITY_TOKEN_USER, warnOfSkipped, type DockerSourceOptions } from './docker/source.ts';
import { askHelper, createHelperRunner, type RunHelper } from './docker/helper.ts';
import { InvalidConfigError } from '../errors.ts';

export interface ContainersSourceOptions extends DockerSourceOptions {
  readonly path: string;
  /** Whether the user named the file, so that it must be there. */
  readonly isRequired?: boolean | undefined;
  /** Whether it is a `.dockercfg`: what `auths` is elsewhere is the whole file there. */
  readonly isFlat?: boolean | undefined;
}

const DOCKER_HUB_NAMES: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
]);

/**
 * The credentials of one auth.json of podman, buildah and skopeo. Its keys may name a namespace or a repository: the longest that
 * fits wins. Its `credsStore` is not read.
 *
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-auth.json.5.md
 */
export function createContainersSource(options: ContainersSourceOptions): CredentialSource {
  const {
    path,
    home,
    env,
    warn,
    isRequired = false,
    isFlat = false,
    runHelper = createHelperRunner(env),
  } = options;
  const shown = showPath(path, home);
  let config: Promise<DockerConfig> | undefined;

  const load = async (): Promise<DockerConfig> => {
    const text = await readConfigFile(path, shown);
    if (text === undefined && isRequired)
      throw new InvalidConfigError(`Cannot find "${shown}": expected a file with credentials`, {
        hint: 'correct --authfile or REGISTRY_AUTH_FILE',
      });
    const loaded = isFlat
      ? parseFlatConfig(text ?? '', shown)
      : parseDockerConfig(text ?? '', shown);
    warnOfSkipped(loaded, shown, warn);
    return loaded;
  };

  return async (host, repository, signal) => {
    config ??= load();
    const loaded = await config;
    return (await askFor(loaded, host, runHelper, signal)) ?? find(loaded, host, repository, shown);
  };
}

/** The auth.json files that are read when none is named, in this order. */
export function containersAuthPaths(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): readonly string[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  const settings = env['XDG_CONFIG_HOME'] || join(home, '.config');
  return [...(runtime ? [runtime] : []), settings].map((folder) =>
    join(folder, 'containers', 'auth.json'),
  );
}

/** The file of docker before 1.7, which podman and skopeo read last of all. */
export function flatAuthPath(home: string): string {
  return join(home, '.dockercfg');
}

/** The file that `--authfile` or `REGISTRY_AUTH_FILE` names. */
export function namedAuthFile(
  authfile: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
): string | undefined {
  const named = authfile ?? (env['REGISTRY_AUTH_FILE'] || undefined);
  return named && resolve(cwd, named);
}

async function askFor(
  { credHelpers }: DockerConfig,
  host: string,
  run: RunHelper,
  signal: AbortSignal | undefined,
): Promise<FoundCredential | undefined> {
  const helper = credHelpers.get(host);
  if (helper === undefined || helper === '') return undefined;
  const login = await askHelper(helper, host, run, signal);
  if (login === undefined) return undefined;
  const { username, secret } = login;
  return {
    credential:
      username === IDENTITY_TOKEN_USER
        ? { kind: 'identity-token', token: secret }
        : { kind: 'password', username, password: secret },
    origin: `docker-credential-${printable(helper, 60)}`,
  };
}

function find(
  { auths }: DockerConfig,
  host: string,
  repository: string | undefined,
  shown: string,
): FoundCredential | undefined {
  const entries = new Map([...auths].map(([key, entry]) => [normalizeKey(key), entry]));
  const components = [normalizeHost(host), ...(repository?.split('/') ?? [])];
  for (let length = components.length; length > 0; length -= 1) {
    const entry = entries.get(components.slice(0, length).join('/'));
    // Without "auth" an entry counts as empty there, whatever tokens it has.
    const credential =
      entry?.username === undefined
        ? undefined
        : credentialOf({ ...entry, registryToken: undefined });
    if (credential !== undefined) return { credential, origin: shown };
  }
  return undefined;
}

/** What a key of auth.json names. One with a scheme is an old one, and means its host; any other may have a path, which is a namespace. */
export function normalizeKey(key: string): string {
  if (/^https?:\/\//.test(key)) return normalizeHost(hostOfKey(key));
  const [host = '', ...path] = key.split('/');
  return [normalizeHost(host), ...path].join('/');
}

function normalizeHost(host: string): string {
  return DOCKER_HUB_NAMES.has(host) ? 'docker.io' : host;
}
