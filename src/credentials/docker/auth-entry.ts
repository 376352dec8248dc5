import * as z from 'zod/mini';

import type { Credential } from '../credential.ts';

/** One entry of `auths`, decoded; of docker's config.json and of containers' auth.json alike. */
export interface AuthEntry {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A refresh token. */
  readonly identityToken?: string | undefined;
  /** A bearer token for the registry itself. */
  readonly registryToken?: string | undefined;
}

/** Why an entry is skipped. Never with what stands in it. */
export interface BadEntry {
  readonly problem: string;
}

const text = z.optional(z.nullable(z.string()));
const entryShape = z.object({
  auth: text,
  username: text,
  password: text,
  identitytoken: text,
  registrytoken: text,
});

/**
 * Decodes an entry. `auth` is standard base64 of `user:password`, split at the first colon, and wins over the plain members.
 *
 * @see https://github.com/docker/cli/blob/v28.3.0/cli/config/configfile/file.go
 */
export function decodeAuthEntry(value: unknown): AuthEntry | BadEntry {
  const shape = entryShape.safeParse(value);
  if (!shape.success) return { problem: 'expected an object with text members' };
  const { auth, username, password, identitytoken, registrytoken } = shape.data;
  const login = auth ? decodeAuth(auth) : { username: username ?? '', password: password ?? '' };
  if ('problem' in login) return login;
  return {
    ...(login.username !== '' && login),
    ...(identitytoken && { identityToken: identitytoken }),
    ...(registrytoken && { registryToken: registrytoken }),
  };
}

/** What the entry proves; undefined for an empty one, which only marks that a helper has it. Tokens win, as in docker. */
export function credentialOf({
  username,
  password,
  identityToken,
  registryToken,
}: AuthEntry): Credential | undefined {
  if (registryToken !== undefined) return { kind: 'registry-token', token: registryToken };
  if (identityToken !== undefined)
    return {
      kind: 'identity-token',
      token: identityToken,
      ...(username !== undefined && { username }),
    };
  return username === undefined
    ? undefined
    : { kind: 'password', username, password: password ?? '' };
}

function decodeAuth(
  auth: string,
): { readonly username: string; readonly password: string } | BadEntry {
  // Go's decoder skips line breaks and nothing else.
  const base64 = auth.replace(/[\r\n]/g, '');
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64))
    return { problem: 'expected "auth" to be base64 with padding' };
  const login = Buffer.from(base64, 'base64').toString('utf8');
  const colon = login.indexOf(':');
  if (colon <= 0) return { problem: 'expected "auth" to be base64 of user:password' };
  let end = login.length;
  while (end > colon + 1 && login.charCodeAt(end - 1) === 0) end -= 1;
  return { username: login.slice(0, colon), password: login.slice(colon + 1, end) };
}
