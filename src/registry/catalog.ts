import { CATALOG_SCOPE } from '../auth/scope.ts';
import type { CallOptions } from '../store.ts';
import type { Connection } from './connection.ts';
import { stringsIn } from './json-list.ts';
import { listPages } from './paging.ts';
import { PAGE_SIZE } from './tags.ts';

/**
 * Yields the names of a registry's repositories. It is docker's, not in the distribution-spec, and many registries lack it or
 * keep it for administrators.
 *
 * @throws {NotFoundError} when the registry has no catalog.
 * @throws {NotAuthorisedError} when it is not for us.
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/api.md#listing-repositories
 */
export function listRepositories(connection: Connection, { signal }: CallOptions = {}): AsyncIterable<string> {
  return listPages(connection, {
    path: `/v2/_catalog?n=${PAGE_SIZE}`,
    scopes: [CATALOG_SCOPE],
    action: `Cannot list the repositories of ${JSON.stringify(connection.name)}`,
    itemsOf: (body) => stringsIn(body, 'repositories'),
    keyOf: (repository) => repository,
    signal,
  });
}
