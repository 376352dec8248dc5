import { discard, readAtMost } from '../http/body.ts';
import { retryRead } from '../http/retry.ts';
import { isJsonObject, tryParseJson, type JsonObject } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { quote } from '../quote.ts';
import type { CallOptions } from '../store.ts';
import type { Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';

/** A result of a search. */
export interface FoundRepository {
  /** Without its registry, as the registry writes it. */
  readonly repository: string;
  readonly description: string;
  /**
   * The publisher: Docker, a company verified by Docker, an open-source project sponsored by
   * Docker.
   */
  readonly mark: 'official' | 'verified' | 'sponsored' | undefined;
  readonly stars: number | undefined;
  /** A number, or an estimate of the registry: `1B+`. */
  readonly pulls: number | string | undefined;
}

/**
 * Reads the objects of the list in member `name` of a JSON response; undefined without such a list.
 */
async function readResults(
  response: RegistryResponse,
  name: string,
  what: string,
): Promise<readonly JsonObject[] | undefined> {
  const body = tryParseJson(await readAtMost(response, LIMITS.pageBytes, what));
  const list = isJsonObject(body) ? body[name] : undefined;
  return Array.isArray(list) ? list.filter(isJsonObject) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined;
}

/**
 * Searches a registry with the API of Harbor, which finds public repositories. Returns undefined
 * where it is not Harbor.
 *
 * @see https://github.com/goharbor/harbor/blob/v2.14.0/api/v2.0/swagger.yaml
 */
export async function searchHarbor(
  connection: Connection,
  term: string,
  { signal }: CallOptions = {},
): Promise<readonly FoundRepository[] | undefined> {
  const read = async (): Promise<readonly FoundRepository[] | undefined> => {
    const path = `/api/v2.0/search?q=${encodeURIComponent(term)}`;
    const response = await connection.send('GET', path, {
      scopes: [],
      accept: 'application/json',
      redirects: 'none',
      signal,
    });
    if (response.status !== 200 || isWebPage(response)) {
      await discard(response);
      return undefined;
    }
    const what = `the search of "${connection.name}"`;
    const results = await readResults(response, 'repository', what);
    return results?.flatMap((result) => {
      const repository = textOf(result['repository_name']);
      return repository === undefined
        ? []
        : [
            {
              repository,
              description: '',
              mark: undefined,
              stars: undefined,
              pulls: countOf(result['pull_count']),
            },
          ];
    });
  };
  return retryRead(read, { clock: connection.clock, retries: connection.retries, signal });
}

export interface SearchOptions extends CallOptions {
  /** Most results, from 1 to 100. */
  readonly limit: number;
}

/** The search of Docker Hub's web pages. Searches need no login: their results are public. */
export const HUB_HOST = 'hub.docker.com';
const NEW_SEARCH = `https://${HUB_HOST}/api/search/v4`;
/** The search of docker itself: of its facts, only official images and stars are still true. */
const OLD_SEARCH = 'https://index.docker.io/v1/search';

const MARKS: Readonly<Record<string, FoundRepository['mark']>> = {
  official: 'official',
  verified_publisher: 'verified',
  open_source: 'sponsored',
};

/**
 * Searches Docker Hub, best matches first.
 *
 * Only the search of its web pages knows publishers and pulls, but it is not a stable API. After an
 * unexpected response, docker's own search is used.
 *
 * @throws {RegistryResponseError}
 */
export async function searchHub(
  connection: Connection,
  term: string,
  { limit, signal }: SearchOptions,
): Promise<readonly FoundRepository[]> {
  const action = `Cannot search Docker Hub for ${quote(term)}`;
  // docker drops it too: official images are found by their short name.
  const query = term.replace(/^library\//, '');
  const read = async (): Promise<readonly FoundRepository[]> => {
    const found = await newSearch(connection, action, { query, limit, signal });
    if (found !== undefined) return found;
    const response = await get(connection, OLD_SEARCH, { q: query, n: String(limit) }, signal);
    if (response.status !== 200) throw await responseError(action, response);
    const results = await readResults(response, 'results', 'the search of Docker Hub');
    if (results === undefined)
      throw invalidResponse(action, response, 'expected a list of results');
    return results.flatMap(oldResult).slice(0, limit);
  };
  return retryRead(read, { clock: connection.clock, retries: connection.retries, signal });
}

interface Query extends SearchOptions {
  readonly query: string;
}

/** Returns undefined after an unexpected response. */
async function newSearch(
  connection: Connection,
  action: string,
  { query, limit, signal }: Query,
): Promise<readonly FoundRepository[] | undefined> {
  const response = await get(
    connection,
    NEW_SEARCH,
    { query, type: 'image', size: String(limit), from: '0' },
    signal,
  );
  if (response.status === 429) throw await responseError(action, response);
  if (response.status !== 200) {
    await discard(response);
    return undefined;
  }
  return (await readResults(response, 'results', 'the search of Docker Hub'))
    ?.flatMap(newResult)
    .slice(0, limit);
}

function get(
  connection: Connection,
  place: string,
  query: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<RegistryResponse> {
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
