import { askAgain } from '../http/ask-again.ts';
import { discard } from '../http/body.ts';
import type { CallOptions } from '../store.ts';
import type { Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, responseError } from './errors.ts';
import { countOf, readResults, textOf, type FoundRepository, type JsonObject } from './found-repository.ts';

export interface SearchOptions extends CallOptions {
  /** At most so many, of 1 to 100. */
  readonly limit: number;
}

/** Where Docker Hub searches. Both are asked without a login: what is found is public. */
export const HUB_HOST = 'hub.docker.com';
const NEW_SEARCH = `https://${HUB_HOST}/api/search/v4`;
/** What docker itself asks: official images and stars, and nothing else that is still true. */
const OLD_SEARCH = 'https://index.docker.io/v1/search';

const MARKS: Readonly<Record<string, FoundRepository['mark']>> = { official: 'official', verified_publisher: 'verified', open_source: 'sponsored' };

/**
 * Searches Docker Hub, best matches first.
 *
 * The search of its web pages alone knows publishers and pulls, and is no interface that anybody promises: where it does not answer as
 * expected, that of docker is asked.
 *
 * @throws {RateLimitedError} and other errors of answers.
 */
export async function searchHub(connection: Connection, term: string, { limit, signal }: SearchOptions): Promise<readonly FoundRepository[]> {
  const action = `Cannot search Docker Hub for ${JSON.stringify(term)}`;
  // Docker's command drops it too: official images are found by their short name.
  const query = term.replace(/^library\//, '');
  const ask = async (): Promise<readonly FoundRepository[]> => {
    const found = await newSearch(connection, action, { query, limit, signal });
    if (found !== undefined) return found;
    const response = await get(connection, OLD_SEARCH, { q: query, n: String(limit) }, signal);
    if (response.status !== 200) throw await responseError(action, response);
    const results = await readResults(response, 'results', 'the search of Docker Hub');
    if (results === undefined) throw invalidResponse(action, response, 'expected a list of results');
    return results.flatMap(oldResult).slice(0, limit);
  };
  return askAgain(ask, { clock: connection.clock, retries: connection.retries, signal });
}

interface Query extends SearchOptions {
  readonly query: string;
}

/** Undefined when it does not answer as expected. */
async function newSearch(connection: Connection, action: string, { query, limit, signal }: Query): Promise<readonly FoundRepository[] | undefined> {
  const response = await get(connection, NEW_SEARCH, { query, type: 'image', size: String(limit), from: '0' }, signal);
  if (response.status === 429) throw await responseError(action, response);
  if (response.status !== 200) {
    await discard(response);
    return undefined;
  }
  return (await readResults(response, 'results', 'the search of Docker Hub'))?.flatMap(newResult).slice(0, limit);
}

function get(connection: Connection, place: string, query: Readonly<Record<string, string>>, signal: AbortSignal | undefined): Promise<RegistryResponse> {
  const url = new URL(place);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return connection.sendAnonymously('GET', url, { accept: 'application/json', signal });
}

function newResult(result: JsonObject): readonly FoundRepository[] {
  const repository = textOf(result['id']) ?? textOf(result['slug']) ?? textOf(result['name']);
  if (repository === undefined) return [];
  return [
    {
      repository: repository.replace(/^library\//, ''),
      description: textOf(result['short_description']) ?? '',
      mark: MARKS[textOf(result['badge']) ?? ''],
      stars: countOf(result['star_count']),
      pulls: textOf(result['pull_count']) ?? countOf(result['pull_count']),
    },
  ];
}

function oldResult(result: JsonObject): readonly FoundRepository[] {
  const repository = textOf(result['name']);
  if (repository === undefined) return [];
  return [
    {
      repository: repository.replace(/^library\//, ''),
      description: textOf(result['description']) ?? '',
      mark: result['is_official'] === true ? 'official' : undefined,
      stars: countOf(result['star_count']),
      pulls: undefined,
    },
  ];
}
