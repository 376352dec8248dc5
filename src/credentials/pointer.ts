import { resolve } from 'node:path';

import { readConfigFile } from '../disk/config-file.ts';
import { InvalidConfigError } from '../errors.ts';
import type { CredentialSource } from './credential.ts';
import { dockerKey } from './docker/config.ts';

/**
 * The place of a password, never the password itself: other users of the machine can read command
 * lines.
 */
export interface PasswordPointer {
  /** The user name. */
  readonly username: string;
  /** The variable or file that holds the password. */
  readonly from:
    | { readonly kind: 'env'; readonly name: string }
    | { readonly kind: 'file'; readonly path: string };
}

export interface PointerOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/**
 * The credentials that a flag points at, for the registry of that flag only: not for a mirror, nor
 * for a host that it redirects to.
 *
 * @returns a source that throws {InvalidConfigError} when the password is absent or empty.
 */
export function createPointerSource(
  { username, from }: PasswordPointer,
  registry: string,
  { env, cwd }: PointerOptions,
): CredentialSource {
  const origin = from.kind === 'env' ? `the variable ${from.name}` : from.path;
  return async (host) => {
    if (dockerKey(host) !== dockerKey(registry)) return undefined;
    const password =
      from.kind === 'env'
        ? env[from.name]
        : (await readConfigFile(resolve(cwd, from.path), from.path))?.replace(/\r?\n$/, '');
    if (!password) {
      throw new InvalidConfigError(
        `Cannot read a password from ${origin}: expected one, found nothing`,
        {
          hint:
            from.kind === 'env' ? `export ${from.name}=…` : `write the password into ${from.path}`,
        },
      );
    }
    return { credential: { kind: 'password', username, password }, origin };
  };
}
