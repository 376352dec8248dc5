import { discard, readAtMost } from '../http/body.ts';
import { askAgain } from '../http/retry.ts';
import { LIMITS } from '../limits.ts';
import type { CallOptions } from '../store.ts';
import type { Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';

/** What a search found. */
export interface FoundRepository {
  /** Without its registry, as the registry writes it. */
  readonly repository: string;
  readonly description: string;
  /** Who stands behind it: Docker, a company that Docker knows, an open-source project that Docker supports. */
  readonly mark: 'official' | 'verified' | 'sponsored' | undefined;
  readonly stars: number | undefined;
  /** A number, or about one where the registry tells no more: `1B+`. */
  readonly pulls: number | string | undefined;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** The objects of the list that is member `name` of an answer's JSON; undefined when there is no such list. */
export async function readResults(
  response: RegistryResponse,
  name: string,
  what: string,
): Promise<readonly JsonObject[] | undefined> {
  const body = parseObject(await readAtMost(response, LIMITS.pageBytes, what));
  const list = body?.[name];
  return Array.isArray(list) ? list.filter(isObject) : undefined;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined;
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Searches a registry by the interface of Harbor, which finds what everybody may see there. Undefined where it is not Harbor.
 *
 * @see https://github.com/goharbor/harbor/blob/v2.14.0/api/v2.0/swagger.yaml
 */
export async function searchHarbor(
  connection: Connection,
  term: string,
  { signal }: CallOptions = {},
): Promise<readonly FoundRepository[] | undefined> {
  const ask = async (): Promise<readonly FoundRepository[] | undefined> => {
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
    const results = await readResults(
      response,
      'repository',
      `the search of ${JSON.stringify(connection.name)}`,
    );
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
  return askAgain(ask, { clock: connection.clock, retries: connection.retries, signal });
}

export interface SearchOptions extends CallOptions {
  /** At most so many, of 1 to 100. */
  readonly limit: number;
}

/** Where Docker Hub searches. Both are asked without a login: what is found is public. */
export const HUB_HOST = 'hub.docker.com';
const NEW_SEARCH = `https://${HUB_HOST}/api/search/v4`;
/** What docker itself asks: official images and stars, and nothing else that is still true. */
const OLD_SEARCH = 'https://index.docker.io/v1/search';

const MARKS: Readonly<Record<string, FoundRepository['mark']>> = {
  official: 'official',
  verified_publisher: 'verified',
  open_source: 'sponsored',
};

/**
 * Searches Docker Hub, best matches first.
 *
 * The search of its web pages alone knows publishers and pulls, and is no interface that anybody promises: where it does not answer as
 * expected, that of docker is asked.
 *
 * @throws {RateLimitedError} and other errors of answers.
 */
export async function searchHub(
  connection: Connection,
  term: string,
  { limit, signal }: SearchOptions,
): Promise<readonly FoundRepository[]> {
  const action = `Cannot search Docker Hub for ${JSON.stringify(term)}`;
  // Docker's command drops it too: official images are found by their short name.
  const query = term.replace(/^library\//, '');
  const ask = async (): Promise<readonly FoundRepository[]> => {
    const found = await newSearch(connection, action, { query, limit, signal });
    if (found !== undefined) return found;
    const response = await get(connection, OLD_SEARCH, { q: query, n: String(limit) }, signal);
    if (response.status !== 200) throw await responseError(action, response);
    const results = await readResults(response, 'results', 'the search of Docker Hub');
    if (results === undefined)
      throw invalidResponse(action, response, 'expected a list of results');
    return results.flatMap(oldResult).slice(0, limit);
  };
  return askAgain(ask, { clock: connection.clock, retries: connection.retries, signal });
}

interface Query extends SearchOptions {
  readonly query: string;
}

/** Undefined when it does not answer as expected. */
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
