import { deferred } from '../concurrency/deferred.ts';
import { unlessAborted } from '../concurrency/unless-aborted.ts';
import type { Connection } from './connection.ts';
import type { RemoteRepository } from './remote-repository.ts';

/** `unclear`: the response says nothing about other subjects. */
export type ReferrersSupport = 'absent' | 'present' | 'unclear';

/**
 * By connection and repository. Some registries forward each repository to another server, so what
 * holds for one says nothing about its neighbours.
 */
const KNOWN = new WeakMap<Connection, Map<string, Promise<ReferrersSupport>>>();

/** True if an earlier request showed that a repository has no referrers API. */
export async function lacksReferrersApi({ connection, name }: RemoteRepository): Promise<boolean> {
  return (await KNOWN.get(connection)?.get(name)) === 'absent';
}

/**
 * Tells whether a repository has the referrers API, as far as an earlier request showed. Many
 * images ask at once, so all wait for the first response.
 *
 * @returns undefined for a caller whose own request has to show it. It calls `found` with the
 *   result, or with `unclear` in any other case: others wait for that.
 */
export async function askReferrersSupport(
  { connection, name }: RemoteRepository,
  signal: AbortSignal = new AbortController().signal,
): Promise<
  | { readonly support: 'absent' | 'present' }
  | { readonly support: undefined; readonly found: (support: ReferrersSupport) => void }
> {
  const repositories = KNOWN.get(connection) ?? new Map<string, Promise<ReferrersSupport>>();
  KNOWN.set(connection, repositories);
  const known = repositories.get(name);
  const support = known && (await unlessAborted(known, signal));
  if (support === 'absent' || support === 'present') return { support };
  const { promise, resolve } = deferred<ReferrersSupport>();
  repositories.set(name, promise);
  return { support: undefined, found: resolve };
}
