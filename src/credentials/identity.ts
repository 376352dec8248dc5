import { createHash } from 'node:crypto';

import type { Credential } from './credential.ts';

/**
 * Tells credentials apart in keys of caches without being one: the same text for the same credential, `anonymous` for none.
 * Not for output: a short password could be guessed from it.
 */
export function credentialIdentity(credential: Credential | undefined): string {
  if (credential === undefined) return 'anonymous';
  const parts = credential.kind === 'password' ? [credential.username, credential.password] : [credential.token];
  return createHash('sha256')
    .update(JSON.stringify([credential.kind, ...parts]))
    .digest('hex');
}
