import type { CredentialSource } from './credential.ts';
import { dockerKey, hostOfKey } from './docker/config.ts';
import { InvalidConfigError } from '../errors.ts';

/**
 * The credentials of `REGI_REGISTRY`, `REGI_USERNAME` and `REGI_PASSWORD`. They are for that one registry: a password that went
 * to whatever host is asked would leave with the first typing error.
 *
 * @throws {InvalidConfigError} when only some of them are set. `REGI_REGISTRY` alone means nothing.
 */
export function createEnvironmentSource(
  env: Readonly<Record<string, string | undefined>>,
): CredentialSource {
  const registry = env['REGI_REGISTRY'] || undefined;
  const username = env['REGI_USERNAME'] || undefined;
  const password = env['REGI_PASSWORD'] || undefined;
  if (username === undefined && password === undefined) return async () => undefined;
  if (registry === undefined || username === undefined || password === undefined) {
    const missing = Object.entries({
      REGI_REGISTRY: registry,
      REGI_USERNAME: username,
      REGI_PASSWORD: password,
    }).flatMap(([name, value]) => (value === undefined ? [name] : []));
    throw new InvalidConfigError(
      `Cannot use REGI_REGISTRY, REGI_USERNAME and REGI_PASSWORD: expected all three, found no ${missing.join(' and no ')}`,
      {
        hint: `set it: export ${missing[0]}=…`,
      },
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
