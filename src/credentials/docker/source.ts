import { join } from 'node:path';

import { printable } from '../../redact.ts';
import { SingleFlight } from '../../concurrency/single-flight.ts';
import { credentialOf, type AuthEntry } from './auth-entry.ts';
import { readConfigFile, showPath } from '../../disk/config-file.ts';
import type { Credential, CredentialSource, FoundCredential } from '../credential.ts';
import {
  dockerKey,
  findAuthEntry,
  helperFor,
  hostOfKey,
  parseDockerConfig,
  type DockerConfig,
} from './config.ts';
import { askHelper, createHelperRunner, type HelperLogin, type RunHelper } from './helper.ts';

export type Warn = (message: string, hint?: string) => void;

export interface DockerSourceOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Takes a line on each entry that is skipped. */
  readonly warn: Warn;
  /** The real helpers when absent. */
  readonly runHelper?: RunHelper | undefined;
}

/** docker marks an identity token by this user name. */
export const IDENTITY_TOKEN_USER = '<token>';

/**
 * The credentials that docker would use: of `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, and of the helpers it names.
 * The file is read once, and each host looked up once, when first asked for. With a helper, user and password come only from it.
 */
export function createDockerSource({
  env,
  home,
  warn,
  runHelper = createHelperRunner(env),
}: DockerSourceOptions): CredentialSource {
  const path = dockerConfigPath(env, home);
  const shown = showPath(path, home);
  const results = new Map<string, FoundCredential | undefined>();
  const flights = new SingleFlight<FoundCredential | undefined>();
  let config: Promise<DockerConfig> | undefined;

  const load = async (): Promise<DockerConfig> => {
    const loaded = parseDockerConfig((await readConfigFile(path, shown)) ?? '', shown);
    warnOfSkipped(loaded, shown, warn);
    return loaded;
  };
  const lookUp = async (key: string, signal: AbortSignal): Promise<FoundCredential | undefined> => {
    config ??= load();
    const loaded = await config;
    const entry = findAuthEntry(loaded, key);
    const helper = helperFor(loaded, key);
    if (helper === undefined) return found(entry && credentialOf(entry), shown);
    const login = await askHelper(helper, key, runHelper, signal);
    if (entry?.registryToken !== undefined)
      return found({ kind: 'registry-token', token: entry.registryToken }, shown);
    return found(login && credentialOf(entryOf(login)), `docker-credential-${helper}`);
  };

  return async (host, _repository, signal) => {
    const key = dockerKey(host);
    if (results.has(key)) return results.get(key);
    return flights.run(
      key,
      async (flightSignal) => {
        const result = await lookUp(key, flightSignal);
        results.set(key, result);
        return result;
      },
      signal,
    );
  };
}

/** Where docker keeps its configuration. */
export function dockerConfigPath(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  return join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json');
}

/** One line for each entry that cannot be used. The key may hold a password too, and is cut to its host. */
export function warnOfSkipped({ skipped }: DockerConfig, shown: string, warn: Warn): void {
  for (const { key, problem } of skipped) {
    const host = printable(hostOfKey(key).replace(/^.*@/, ''), 100);
    warn(
      `Cannot use the entry "${host}" of ${shown}: ${problem}`,
      `write it anew: regi login ${host}`,
    );
  }
}

function entryOf({ username, secret }: HelperLogin): AuthEntry {
  return username === IDENTITY_TOKEN_USER
    ? { identityToken: secret }
    : { username, password: secret };
}

function found(credential: Credential | undefined, origin: string): FoundCredential | undefined {
  return credential && { credential, origin };
}
