import { resolve } from 'node:path';

import { readConfigFile } from '../disk/config-file.ts';
import type { CredentialSource } from './credential.ts';
import { dockerKey } from './docker/config.ts';
import { InvalidConfigError } from '../errors.ts';

/** Where a password is, never the password. */
export interface PasswordPointer {
  readonly username: string;
  readonly from:
    | { readonly kind: 'env'; readonly name: string }
    | { readonly kind: 'file'; readonly path: string };
}

export interface PointerSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Parses `USER:env:NAME` and `USER:file:PATH`; undefined when it is neither. The path may hold colons, the user none. */
export function parsePasswordPointer(text: string): PasswordPointer | undefined {
  const [, username, kind, place] = /^([^:]+):(env|file):(.+)$/s.exec(text) ?? [];
  if (username === undefined || place === undefined) return undefined;
  return { username, from: kind === 'env' ? { kind, name: place } : { kind: 'file', path: place } };
}

/**
 * The credentials that a flag points at, for the one registry that the flag is about: not for a mirror, nor for a host that it
 * redirects to.
 *
 * @returns a source that throws {InvalidConfigError} when there is no password where the flag points.
 */
export function createPointerSource(
  pointer: PasswordPointer,
  registry: string,
  surroundings: PointerSurroundings,
): CredentialSource {
  return async (host) => {
    if (dockerKey(host) !== dockerKey(registry)) return undefined;
    const password = await readPassword(pointer, surroundings);
    return {
      credential: { kind: 'password', username: pointer.username, password },
      origin: originOf(pointer),
    };
  };
}

async function readPassword(
  pointer: PasswordPointer,
  { env, cwd }: PointerSurroundings,
): Promise<string> {
  const { from } = pointer;
  const password =
    from.kind === 'env'
      ? env[from.name]
      : (await readConfigFile(resolve(cwd, from.path), from.path))?.replace(/\r?\n$/, '');
  if (password === undefined || password === '') {
    throw new InvalidConfigError(
      `Cannot find a password in ${originOf(pointer)}: expected it to be there and not empty`,
      {
        hint:
          from.kind === 'env' ? `export ${from.name}=…` : `write the password into ${from.path}`,
      },
    );
  }
  return password;
}

function originOf({ from }: PasswordPointer): string {
  return from.kind === 'env' ? `the variable ${from.name}` : from.path;
}
