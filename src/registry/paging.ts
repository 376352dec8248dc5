import type { Scope } from '../auth/scope.ts';
import { LimitExceededError } from '../bytes.ts';
import { askAgain } from '../http/ask-again.ts';
import { readAtMost } from '../http/body.ts';
import { LIMITS } from '../limits.ts';
import type { CallOptions } from '../store.ts';
import type { Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, responseError } from './errors.ts';
import { nextPage } from './link-header.ts';

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
export async function* listPages<Item>(connection: Connection, listing: Listing<Item>): AsyncGenerator<Item> {
  const { action, signal } = listing;
  const asked = new Set<string>();
  let before: ReadonlySet<string> = new Set();
  let path = listing.path;
  for (let page = 0; page < LIMITS.pages; page += 1) {
    asked.add(path);
    const { scopes, repository, accept, redirects } = listing;
    const url = path;
    const ask = async (): Promise<Page<Item>> => {
      const response = await connection.send('GET', url, { scopes, repository, accept, redirects, signal });
      if (page === 0) await listing.checkFirst?.(response);
      if (response.status !== 200) throw await responseError(action, response);
      return { items: await readPage(listing, response), link: response.headers.get('link') };
    };
    const { items, link } = await askAgain(ask, { clock: connection.clock, retries: connection.retries, signal });
    const keys = new Set(items.map(listing.keyOf));
    if (keys.size > 0 && before.size > 0 && [...keys].every((key) => before.has(key)))
      return connection.warn(`${action} further: the next page has nothing new`);
    // Not yield*, which wraps each item of an array in two promises more.
    for (const item of items) yield item;
    const next = nextPage(new URL(path, 'https://registry.invalid'), link);
    if (next.kind === 'end') return;
    if (next.kind === 'broken') return connection.warn(`${action} further: ${next.problem}`);
    path = next.url.pathname + next.url.search;
    if (asked.has(path)) return connection.warn(`${action} further: its pages go round in a circle`);
    before = keys;
  }
  throw new LimitExceededError(`${action}: expected at most ${LIMITS.pages} pages`, { hint: 'the registry pages without end; tell who runs it' });
}

interface Page<Item> {
  readonly items: readonly Item[];
  /** The header that leads to the next one. */
  readonly link: string | undefined;
}

async function readPage<Item>(listing: Listing<Item>, response: RegistryResponse): Promise<readonly Item[]> {
  const text = new TextDecoder().decode(await readAtMost(response, LIMITS.pageBytes, `a page of ${JSON.stringify(listing.path)}`));
  const items = listing.itemsOf(parseJson(text), response);
  if (items === undefined) throw invalidResponse(listing.action, response, 'expected a list in JSON');
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
