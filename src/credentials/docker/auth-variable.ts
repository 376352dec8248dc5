import * as z from 'zod/mini';

import { credentialOf } from './auth-entry.ts';
import type { CredentialSource } from '../credential.ts';
import { dockerKey, findAuthEntry, parseDockerConfig, type DockerConfig } from './config.ts';
import { warnOfSkipped, type Warn } from './source.ts';
import { tryParseJson } from '../../json.ts';

const NAME = 'DOCKER_AUTH_CONFIG';

/** docker takes nothing else there, and ignores the whole value if it finds more. */
const strictShape = z.strictObject({
  auths: z.record(z.string(), z.strictObject({ auth: z.string() })),
});

/**
 * The credentials of `DOCKER_AUTH_CONFIG`: `{"auths":{"host":{"auth":…}}}`. A value that is anything else is ignored with a warning.
 *
 * @see https://github.com/docker/cli/blob/v28.3.0/cli/config/configfile/file.go
 */
export function createDockerAuthVariableSource(
  env: Readonly<Record<string, string | undefined>>,
  warn: Warn,
): CredentialSource {
  let config: DockerConfig | undefined;
  return async (host) => {
    config ??= loadDockerAuthVariable(env, warn);
    const entry = findAuthEntry(config, dockerKey(host));
    const credential = entry && credentialOf(entry);
    return credential && { credential, origin: NAME };
  };
}

/** What the variable says, with a warning where it cannot be used. */
export function loadDockerAuthVariable(
  env: Readonly<Record<string, string | undefined>>,
  warn: Warn,
): DockerConfig {
  const text = env[NAME] ?? '';
  const isUsable = text.trim() === '' || strictShape.safeParse(tryParseJson(text)).success;
  if (!isUsable)
    warn(
      `Cannot use ${NAME}: expected {"auths":{"HOST":{"auth":"…"}}} and nothing else`,
      `correct it, or: unset ${NAME}`,
    );
  const config = parseDockerConfig(isUsable ? text : '', NAME);
  warnOfSkipped(config, NAME, warn);
  return config;
}
