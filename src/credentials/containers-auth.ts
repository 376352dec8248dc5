import { join, resolve } from 'node:path';

import { credentialOfSecret, type CredentialSource, type FoundCredential } from './credential.ts';
import {
  configFile,
  type ConfigFile,
  type ConfigPlace,
  credentialOf,
  type DockerConfig,
  hostOfKey,
  readDockerConfig,
} from './docker/config.ts';
import { askHelper, createHelperRunner, programOf } from './docker/helper.ts';
import type { DockerSourceOptions } from './docker/source.ts';

export interface ContainersSourceOptions extends DockerSourceOptions {
  readonly file: ConfigFile;
  /** True if the user named the file, so that it must exist. */
  readonly isRequired?: boolean | undefined;
}

/** Where the auth.json files are. */
export interface ContainersPlace extends ConfigPlace {
  /** The folder that relative paths start from. */
  readonly cwd: string;
  /** From `--authfile`. */
  readonly authfile?: string | undefined;
}

const DOCKER_HUB_NAMES: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
]);

/**
 * The credentials of one auth.json of podman, buildah and skopeo. Its keys may name a namespace or
 * a repository: the longest match wins. Its `credsStore` is not read.
 *
 * @see https://github.com/containers/image/blob/v5.36.0/docs/containers-auth.json.5.md
 */
export function createContainersSource({
  file,
  env,
  warn,
  isRequired = false,
  runHelper = createHelperRunner(env),
}: ContainersSourceOptions): CredentialSource {
  let config: Promise<DockerConfig> | undefined;
  return async (host, repository, signal) => {
    config ??= readDockerConfig(file, warn, isRequired);
    const loaded = await config;
    const helper = loaded.credHelpers.get(host);
    const login = helper ? await askHelper(helper, host, runHelper, signal) : undefined;
    return helper && login
      ? { credential: credentialOfSecret(login), origin: programOf(helper) }
      : find(loaded, host, repository, file.shown);
  };
}

/**
 * The auth.json files that are read when none is named, in this order. podman and skopeo write to
 * the first: that of the session, or without one, as for root and in containers, that below /run.
 */
export function containersAuthFiles({ env, home, linuxUid }: ConfigPlace): readonly ConfigFile[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  const settings = env['XDG_CONFIG_HOME'] || join(home, '.config');
  const session =
    runtime || linuxUid === undefined
      ? runtime && join(runtime, 'containers')
      : `/run/containers/${linuxUid}`;
  const folders = [...(session ? [session] : []), join(settings, 'containers')];
  return [
    ...folders.map((folder) => configFile(join(folder, 'auth.json'), home)),
    // The file of docker before 1.7. podman and skopeo read it last.
    { ...configFile(join(home, '.dockercfg'), home), isFlat: true },
  ];
}

/** The file that `--authfile` or `REGISTRY_AUTH_FILE` names. */
export function namedAuthFile({
  authfile,
  env,
  cwd,
  home,
}: ContainersPlace): ConfigFile | undefined {
  const named = authfile ?? env['REGISTRY_AUTH_FILE'];
  return named ? configFile(resolve(cwd, named), home) : undefined;
}

function find(
  { auths }: DockerConfig,
  host: string,
  repository: string | undefined,
  origin: string,
): FoundCredential | undefined {
  // A key as written comes before another spelling of it, such as a URL, wherever it stands in the
  // file.
  const entries = new Map([...auths].map(([key, entry]) => [normalizeKey(key), entry]));
  for (const [key, entry] of auths) if (normalizeKey(key) === key) entries.set(key, entry);
  const components = [normalizeHost(host), ...(repository?.split('/') ?? [])];
  for (let length = components.length; length > 0; length -= 1) {
    const entry = entries.get(components.slice(0, length).join('/'));
    // podman ignores an entry without "auth", whatever tokens it has.
    const credential =
      entry?.username === undefined
        ? undefined
        : credentialOf({ ...entry, registryToken: undefined });
    if (credential !== undefined) return { credential, origin };
  }
  return undefined;
}

/**
 * Normalizes a key of auth.json. A key with a scheme has the old form, and means its host. Any
 * other key may have a path, which is a namespace.
 */
export function normalizeKey(key: string): string {
  if (/^https?:\/\//.test(key)) return normalizeHost(hostOfKey(key));
  const [host = '', ...path] = key.split('/');
  return [normalizeHost(host), ...path].join('/');
}

function normalizeHost(host: string): string {
  return DOCKER_HUB_NAMES.has(host) ? 'docker.io' : host;
}
