import { CATALOG_SCOPE, type Scope } from '../auth/scope.ts';
import { LimitExceededError } from '../bytes.ts';
import { readAtMost } from '../http/body.ts';
import { retryRead } from '../http/retry.ts';
import { RegiError } from '../errors.ts';
import { formatCount } from '../format.ts';
import { isJsonObject, tryParseJson } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { isTag, referenceIn } from '../oci/reference.ts';
import { quote } from '../quote.ts';
import type { ListOptions } from '../store.ts';
import type { Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, responseError } from './errors.ts';
import { ItemsOfPages } from './items-of-pages.ts';
import { nextPage } from './link-header.ts';
import { display, type RemoteRepository, scopesToRead } from './remote-repository.ts';

export interface Listing<Item> extends ListOptions {
  /** Path of the first page, with its query. */
  readonly path: string;
  readonly scopes: readonly Scope[];
  readonly repository?: string | undefined;
  readonly accept?: string | undefined;
  readonly redirects?: 'follow' | 'none' | undefined;
  /** What fails, for messages: `Cannot list the tags of "registry.example/app"`. */
  readonly action: string;
  /** The member of a page that holds the items. */
  readonly member: string;
  /** Returns undefined for an item that is unusable, which is left out. */
  readonly parse: (item: unknown, index: number) => Item | undefined;
  /** Returns the same text for the same item. */
  readonly keyOf: (item: Item) => string;
  /** Called with the first response before it is read; may throw an error for the caller. */
  readonly checkFirst?: ((response: RegistryResponse) => void | Promise<void>) | undefined;
}

/**
 * Yields a listing, page by page as needed. Pages are found by their `Link` only: a server that
 * sends all items at once and ignores `last` would otherwise never end.
 *
 * A listing ends, with a warning, when a link is malformed, or leads to a page without new items.
 * With `whole` it throws then. Unusable items are left out, with one warning at the end.
 *
 * @throws {LimitExceededError} when a page, or the number of pages, exceeds any honest one.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
export function listPages<Item>(
  connection: Connection,
  listing: Listing<Item>,
): AsyncIterable<Item> {
  return new ItemsOfPages(pagesOf(connection, listing));
}

async function* pagesOf<Item>(
  connection: Connection,
  listing: Listing<Item>,
): AsyncGenerator<readonly Item[]> {
  const unusable: unknown[] = [];
  try {
    yield* usablePages(connection, listing, unusable);
  } finally {
    if (unusable.length > 0)
      connection.warn(
        `"${connection.name}" lists ${formatCount(unusable.length, 'entry', 'entries')} that cannot be used, such as ${quote(shown(unusable[0]))}; left out (${listing.path.split('?', 1)[0]})`,
      );
  }
}

/** An unusable item as a short text. */
function shown(item: unknown): string {
  return (typeof item === 'string' ? item : JSON.stringify(item)).slice(0, 80);
}

async function* usablePages<Item>(
  connection: Connection,
  listing: Listing<Item>,
  unusable: unknown[],
): AsyncGenerator<readonly Item[]> {
  const { action, signal, whole = false } = listing;
  const breakOff = (problem: string): void => {
    const message = `${action} further: ${problem}`;
    if (!whole) return connection.warn(message);
    throw new RegiError('FAILED', message, {
      hint: 'the registry pages its list badly; report it to its operator',
    });
  };
  const seen = new Set<string>();
  let before: ReadonlySet<string> = new Set();
  let path = listing.path;
  for (let page = 0; page < LIMITS.pages; page += 1) {
    seen.add(path);
    const { scopes, repository, accept, redirects } = listing;
    const target = path;
    const read = async (): Promise<Page> => {
      const response = await connection.send('GET', target, {
        scopes,
        repository,
        accept,
        redirects,
        signal,
      });
      if (page === 0) await listing.checkFirst?.(response);
      if (response.status !== 200) throw await responseError(action, response);
      return { found: await readPage(listing, response), link: response.headers.get('link') };
    };
    const { found, link } = await retryRead(read, {
      clock: connection.clock,
      retries: connection.retries,
      signal,
    });
    const items: Item[] = [];
    for (const [index, item] of found.entries()) {
      const parsed = listing.parse(item, index);
      if (parsed !== undefined) items.push(parsed);
      else {
        unusable.push(item);
        listing.onUnusable?.(item);
      }
    }
    const keys = new Set(items.map(listing.keyOf));
    if (keys.size > 0 && before.size > 0 && [...keys].every((key) => before.has(key)))
      return breakOff('the next page has no new items');
    yield items;
    const next = nextPage(new URL(path, 'https://registry.invalid'), link);
    if (next.kind === 'end') return;
    if (next.kind === 'broken') return breakOff(next.problem);
    path = next.url.pathname + next.url.search;
    if (seen.has(path)) return breakOff('its pages form a loop');
    before = keys;
  }
  throw new LimitExceededError(`${action}: expected at most ${LIMITS.pages} pages`, {
    hint: 'the list of the registry does not end; report it to its operator',
  });
}

interface Page {
  readonly found: readonly unknown[];
  /** The `Link` header. */
  readonly link: string | undefined;
}

async function readPage<Item>(
  listing: Listing<Item>,
  response: RegistryResponse,
): Promise<readonly unknown[]> {
  const page = await readAtMost(response, LIMITS.pageBytes, `a page of "${listing.path}"`);
  const items = itemsIn(tryParseJson(page), listing.member);
  if (items === undefined)
    throw invalidResponse(listing.action, response, 'expected a list in JSON');
  return items;
}

/** ECR and distribution refuse more; Quay always sends 100. */
const PAGE_SIZE = 1000;

/**
 * Yields the tags of a repository in the registry's own order, page by page as needed.
 *
 * @throws {RegistryResponseError} with code NOT_FOUND when the registry has no such repository.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
export function listTags(
  repository: RemoteRepository,
  options: ListOptions = {},
): AsyncIterable<string> {
  const { connection, name } = repository;
  return listPages(connection, {
    ...options,
    path: `/v2/${name}/tags/list?n=${PAGE_SIZE}`,
    scopes: scopesToRead(repository),
    repository: name,
    action: `Cannot list the tags of ${display(repository)}`,
    member: 'tags',
    parse: (item) => (typeof item === 'string' && isTag(item) ? item : undefined),
    keyOf: (tag) => tag,
  });
}

/**
 * Yields the names of a registry's repositories. The catalog is docker's, not in the
 * distribution-spec; many registries lack it, or reserve it for administrators.
 *
 * @throws {RegistryResponseError} with code NOT_FOUND when the registry has no catalog.
 * @throws {NotAuthorisedError} when access is not allowed.
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/api.md#listing-repositories
 */
export function listRepositories(
  connection: Connection,
  options: ListOptions = {},
): AsyncIterable<string> {
  return listPages(connection, {
    ...options,
    path: `/v2/_catalog?n=${PAGE_SIZE}`,
    scopes: [CATALOG_SCOPE],
    action: `Cannot list the repositories of "${connection.name}"`,
    member: 'repositories',
    parse: (item) => (typeof item === 'string' && isRepositoryPath(item) ? item : undefined),
    keyOf: (repository) => repository,
  });
}

function isRepositoryPath(text: string): boolean {
  const reference = referenceIn(`registry.invalid/${text}`);
  return reference?.path === text && reference.tag === undefined && reference.digest === undefined;
}

/**
 * Reads the list of texts in member `name` of a JSON object. A missing or null list is empty:
 * distribution sends `"tags":null` for a repository that lost its last tag. Undefined for anything
 * else, such as errors with status 200.
 */
export function stringsIn(body: unknown, name: string): readonly string[] | undefined {
  const list = itemsIn(body, name);
  return list?.every((item) => typeof item === 'string') === true ? list : undefined;
}

/** Reads such a list of unparsed items. */
export function itemsIn(body: unknown, name: string): readonly unknown[] | undefined {
  if (!isJsonObject(body)) return undefined;
  const list = body[name];
  if (list === undefined && 'errors' in body) return undefined;
  if (list === undefined || list === null) return [];
  return Array.isArray(list) ? list : undefined;
}
