import { CATALOG_SCOPE, type Scope } from '../auth/scope.ts';
import { LimitExceededError } from '../bytes.ts';
import { readAtMost } from '../http/body.ts';
import { askAgain } from '../http/retry.ts';
import { LIMITS } from '../limits.ts';
import type { CallOptions } from '../store.ts';
import type { Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, responseError } from './errors.ts';
import { nextPage } from './link-header.ts';
import { display, type RemoteRepository, scopesToRead } from './remote-repository.ts';

export interface Listing<Item> extends CallOptions {
  /** Of the first page, with its query. */
  readonly path: string;
  readonly scopes: readonly Scope[];
  readonly repository?: string | undefined;
  readonly accept?: string | undefined;
  readonly redirects?: 'follow' | 'none' | undefined;
  /** What cannot be done when it fails: `Cannot list the tags of "registry.example/app"`. */
  readonly action: string;
  /** Items of one page; undefined when the body is none. */
  readonly itemsOf: (body: unknown, response: RegistryResponse) => readonly Item[] | undefined;
  /** The same text for the same item. */
  readonly keyOf: (item: Item) => string;
  /** Judges the first answer before it is read; throws what the caller knows how to handle. */
  readonly checkFirst?: ((response: RegistryResponse) => void | Promise<void>) | undefined;
}

/**
 * Reads a listing page by page, as far as its reader goes. Pages are followed by their `Link` only: a server that sends all at
 * once and ignores `last` would otherwise never end.
 *
 * A listing ends, with a warning, when a link is malformed, leads to a page already read, or to one that has nothing new.
 *
 * @throws {LimitExceededError} when a page or the number of pages is beyond any honest one.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
export async function* listPages<Item>(
  connection: Connection,
  listing: Listing<Item>,
): AsyncGenerator<Item> {
  const { action, signal } = listing;
  const asked = new Set<string>();
  let before: ReadonlySet<string> = new Set();
  let path = listing.path;
  for (let page = 0; page < LIMITS.pages; page += 1) {
    asked.add(path);
    const { scopes, repository, accept, redirects } = listing;
    const url = path;
    const ask = async (): Promise<Page<Item>> => {
      const response = await connection.send('GET', url, {
        scopes,
        repository,
        accept,
        redirects,
        signal,
      });
      if (page === 0) await listing.checkFirst?.(response);
      if (response.status !== 200) throw await responseError(action, response);
      return { items: await readPage(listing, response), link: response.headers.get('link') };
    };
    const { items, link } = await askAgain(ask, {
      clock: connection.clock,
      retries: connection.retries,
      signal,
    });
    const keys = new Set(items.map(listing.keyOf));
    if (keys.size > 0 && before.size > 0 && [...keys].every((key) => before.has(key)))
      return connection.warn(`${action} further: the next page has nothing new`);
    // Not yield*, which wraps each item of an array in two promises more.
    for (const item of items) yield item;
    const next = nextPage(new URL(path, 'https://registry.invalid'), link);
    if (next.kind === 'end') return;
    if (next.kind === 'broken') return connection.warn(`${action} further: ${next.problem}`);
    path = next.url.pathname + next.url.search;
    if (asked.has(path))
      return connection.warn(`${action} further: its pages go round in a circle`);
    before = keys;
  }
  throw new LimitExceededError(`${action}: expected at most ${LIMITS.pages} pages`, {
    hint: 'the registry pages without end; tell who runs it',
  });
}

interface Page<Item> {
  readonly items: readonly Item[];
  /** The header that leads to the next one. */
  readonly link: string | undefined;
}

async function readPage<Item>(
  listing: Listing<Item>,
  response: RegistryResponse,
): Promise<readonly Item[]> {
  const text = new TextDecoder().decode(
    await readAtMost(response, LIMITS.pageBytes, `a page of ${JSON.stringify(listing.path)}`),
  );
  const items = listing.itemsOf(parseJson(text), response);
  if (items === undefined)
    throw invalidResponse(listing.action, response, 'expected a list in JSON');
  return items;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** ECR and distribution refuse more; Quay serves 100 whatever is asked. */
const PAGE_SIZE = 1000;

/**
 * Yields the tags of a repository in the registry's own order, each page when it is wanted.
 *
 * @throws {NotFoundError} when the registry has no such repository.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
export function listTags(
  repository: RemoteRepository,
  { signal }: CallOptions = {},
): AsyncIterable<string> {
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

/**
 * Yields the names of a registry's repositories. It is docker's, not in the distribution-spec, and many registries lack it or
 * keep it for administrators.
 *
 * @throws {NotFoundError} when the registry has no catalog.
 * @throws {NotAuthorisedError} when it is not for us.
 * @see https://github.com/distribution/distribution/blob/v3.0.0/docs/content/spec/api.md#listing-repositories
 */
export function listRepositories(
  connection: Connection,
  { signal }: CallOptions = {},
): AsyncIterable<string> {
  return listPages(connection, {
    path: `/v2/_catalog?n=${PAGE_SIZE}`,
    scopes: [CATALOG_SCOPE],
    action: `Cannot list the repositories of ${JSON.stringify(connection.name)}`,
    itemsOf: (body) => stringsIn(body, 'repositories'),
    keyOf: (repository) => repository,
    signal,
  });
}

/**
 * The texts of the list that is member `name` of a JSON object. A missing or null list is an empty one: distribution says
 * `"tags":null` of a repository that lost its last tag. Undefined when it is something else, such as errors with status 200.
 */
export function stringsIn(body: unknown, name: string): readonly string[] | undefined {
  const list = memberOf(body, name);
  if (list.kind === 'none') return undefined;
  if (list.value === undefined || list.value === null) return [];
  return Array.isArray(list.value) && list.value.every((item) => typeof item === 'string')
    ? list.value
    : undefined;
}

/** The items of such a list, each still to be parsed. */
export function itemsIn(body: unknown, name: string): readonly unknown[] | undefined {
  const list = memberOf(body, name);
  if (list.kind === 'none') return undefined;
  if (list.value === undefined || list.value === null) return [];
  return Array.isArray(list.value) ? list.value : undefined;
}

function memberOf(
  body: unknown,
  name: string,
): { readonly kind: 'some'; readonly value: unknown } | { readonly kind: 'none' } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { kind: 'none' };
  const value = (body as Readonly<Record<string, unknown>>)[name];
  return value === undefined && 'errors' in body ? { kind: 'none' } : { kind: 'some', value };
}
