import * as z from 'zod/mini';

import { InvalidConfigError } from '../errors.ts';
import { tryParseJson } from '../json.ts';
import type { CredentialSource } from './credential.ts';
import {
  credentialOf,
  type DockerConfig,
  dockerKey,
  findAuthEntry,
  hostOfKey,
  parseDockerConfig,
  type Warn,
  warnOfSkipped,
} from './docker/config.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The variables of a login for one registry. */
export const LOGIN_VARIABLES = ['REGI_REGISTRY', 'REGI_USERNAME', 'REGI_PASSWORD'] as const;

/** The variable with logins in the format of docker's config.json. */
export const DOCKER_VARIABLE = 'DOCKER_AUTH_CONFIG';

/** docker accepts nothing else there, and ignores the whole value if it finds more. */
const strictShape = z.strictObject({
  auths: z.record(z.string(), z.strictObject({ auth: z.string() })),
});

/**
 * The credentials of `REGI_REGISTRY`, `REGI_USERNAME` and `REGI_PASSWORD`. They are for that one
 * registry: otherwise a typing error in a host would send the password to another server.
 *
 * @throws {InvalidConfigError} when only some are set. `REGI_REGISTRY` alone has no effect.
 */
export function createEnvironmentSource(env: Env): CredentialSource {
  const [registry, username, password] = LOGIN_VARIABLES.map((name) => env[name] || undefined);
  if (username === undefined && password === undefined) return async () => undefined;
  if (registry === undefined || username === undefined || password === undefined) {
    const missing = LOGIN_VARIABLES.filter((name) => !env[name]);
    throw new InvalidConfigError(
      `Cannot use REGI_REGISTRY, REGI_USERNAME and REGI_PASSWORD: expected all three, found no ${missing.join(' and no ')}`,
      { hint: `set it: export ${missing[0]}=…` },
    );
  }
  const key = dockerKey(hostOfKey(registry));
  return async (host) =>
    dockerKey(host) === key
      ? {
          credential: { kind: 'password', username, password },
          origin: 'REGI_USERNAME and REGI_PASSWORD',
        }
      : undefined;
}

/**
 * The credentials of `DOCKER_AUTH_CONFIG`: `{"auths":{"host":{"auth":…}}}`. Any other value is
 * ignored with a warning.
 *
 * @see https://github.com/docker/cli/blob/v28.3.0/cli/config/configfile/file.go
 */
export function createDockerAuthVariableSource(env: Env, warn: Warn): CredentialSource {
  let config: DockerConfig | undefined;
  return async (host) => {
    config ??= loadDockerAuthVariable(env, warn);
    const entry = findAuthEntry(config, dockerKey(host));
    const credential = entry && credentialOf(entry);
    return credential && { credential, origin: DOCKER_VARIABLE };
  };
}

/** Reads `DOCKER_AUTH_CONFIG`, and warns if it cannot be used. */
export function loadDockerAuthVariable(env: Env, warn: Warn): DockerConfig {
  const text = env[DOCKER_VARIABLE] ?? '';
  const isUsable = text.trim() === '' || strictShape.safeParse(tryParseJson(text)).success;
  if (!isUsable)
    warn(
      `Cannot use ${DOCKER_VARIABLE}: expected {"auths":{"HOST":{"auth":"…"}}} and nothing else`,
      `correct it, or: unset ${DOCKER_VARIABLE}`,
    );
  const config = parseDockerConfig(isUsable ? text : '', DOCKER_VARIABLE);
  warnOfSkipped(config, DOCKER_VARIABLE, warn);
  return config;
}
