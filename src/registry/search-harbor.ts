import { askAgain } from '../http/ask-again.ts';
import { discard } from '../http/body.ts';
import type { CallOptions } from '../store.ts';
import type { Connection } from './connection.ts';
import { isWebPage } from './errors.ts';
import { countOf, readResults, textOf, type FoundRepository } from './found-repository.ts';

/**
 * Searches a registry by the interface of Harbor, which finds what everybody may see there. Undefined where it is not Harbor.
 *
 * @see https://github.com/goharbor/harbor/blob/v2.14.0/api/v2.0/swagger.yaml
 */
export async function searchHarbor(connection: Connection, term: string, { signal }: CallOptions = {}): Promise<readonly FoundRepository[] | undefined> {
  const ask = async (): Promise<readonly FoundRepository[] | undefined> => {
    const path = `/api/v2.0/search?q=${encodeURIComponent(term)}`;
    const response = await connection.send('GET', path, { scopes: [], accept: 'application/json', redirects: 'none', signal });
    if (response.status !== 200 || isWebPage(response)) {
      await discard(response);
      return undefined;
    }
    const results = await readResults(response, 'repository', `the search of ${JSON.stringify(connection.name)}`);
    return results?.flatMap((result) => {
      const repository = textOf(result['repository_name']);
      return repository === undefined ? [] : [{ repository, description: '', mark: undefined, stars: undefined, pulls: countOf(result['pull_count']) }];
    });
  };
  return askAgain(ask, { clock: connection.clock, retries: connection.retries, signal });
}
