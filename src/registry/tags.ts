import type { CallOptions } from '../store.ts';
import { stringsIn } from './json-list.ts';
import { listPages } from './paging.ts';
import { display, scopesToRead, type RemoteRepository } from './remote-repository.ts';

/** ECR and distribution refuse more; Quay serves 100 whatever is asked. */
export const PAGE_SIZE = 1000;

/**
 * Yields the tags of a repository in the registry's own order, each page when it is wanted.
 *
 * @throws {NotFoundError} when the registry has no such repository.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
export function listTags(repository: RemoteRepository, { signal }: CallOptions = {}): AsyncIterable<string> {
  const { connection, name } = repository;
  return listPages(connection, {
    path: `/v2/${name}/tags/list?n=${PAGE_SIZE}`,
    scopes: scopesToRead(repository),
    repository: name,
    action: `Cannot list the tags of ${display(repository)}`,
    itemsOf: (body) => stringsIn(body, 'tags'),
    keyOf: (tag) => tag,
    signal,
  });
}
