import { createHash } from 'node:crypto';

/** Proof of identity. A discriminated union, because a token goes where a password must not. */
export type Credential =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token (docker's identitytoken); only for the token endpoint, by POST. */
  | {
      readonly kind: 'identity-token';
      readonly token: string;
      readonly username?: string | undefined;
    }
  /** Sent to the registry as Bearer, verbatim (docker's registrytoken). */
  | { readonly kind: 'registry-token'; readonly token: string };

/** A credential and its origin: for messages, never with the secret. */
export interface FoundCredential {
  /** The password or token. */
  readonly credential: Credential;
  /** Such as `~/.docker/config.json` or `REGI_USERNAME`. */
  readonly origin: string;
}

/**
 * Looks up the credential stored for a registry. Called only after a challenge.
 *
 * @param host as written in references, port included: `registry.example:5000`, `docker.io`.
 */
export type CredentialSource = (
  host: string,
  repository: string | undefined,
  signal?: AbortSignal,
) => Promise<FoundCredential | undefined>;

/** A login as helpers and keychains store it. */
export interface StoredSecret {
  /** The user name; `<token>` marks an identity token. */
  readonly username: string;
  /** The password or token. */
  readonly secret: string;
}

/** docker marks an identity token with this user name. */
export const IDENTITY_TOKEN_USER = '<token>';

/** The credential of a login in a helper or keychain. */
export function credentialOfSecret({ username, secret }: StoredSecret): Credential {
  return username === IDENTITY_TOKEN_USER
    ? { kind: 'identity-token', token: secret }
    : { kind: 'password', username, password: secret };
}

/**
 * Identifies a credential in cache keys without containing it; `anonymous` for none. Not for
 * output: a short password could be guessed from it.
 */
export function credentialIdentity(credential: Credential | undefined): string {
  if (credential === undefined) return 'anonymous';
  const parts =
    credential.kind === 'password'
      ? [credential.username, credential.password]
      : [credential.token];
  return createHash('sha256')
    .update(JSON.stringify([credential.kind, ...parts]))
    .digest('hex');
}
