import { discard, readAtMost } from '../http/body.ts';
import { retryRead } from '../http/retry.ts';
import { RegiError } from '../errors.ts';
import type { HttpHeaders } from '../http/message.ts';
import { isJsonObject, tryParseJson, type JsonObject } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { referenceIn } from '../oci/reference.ts';
import { quote } from '../quote.ts';
import type { CallOptions } from '../store.ts';
import type { Connection, RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';
import { HUB_HOST } from './search.ts';

/** Repositories a page; the most that all three APIs give. */
const PAGE = 100;

/** The list of repositories that a product keeps beside, or in place of, the catalog. */
interface VendorList {
  /** The URL of a page, from 1; a path for the registry itself, which gets its credentials. */
  readonly page: (number: number) => URL | string;
  /** Returns the items of a page; undefined where it is no such page. */
  readonly itemsIn: (body: unknown) => readonly unknown[] | undefined;
  readonly nameOf: (item: JsonObject) => unknown;
  /** @param before items of the pages so far, this one included. */
  readonly isLast: (body: unknown, headers: HttpHeaders, before: number) => boolean;
}

/**
 * Lists the repositories of a namespace by the API of the product: Docker Hub, GitLab.com or
 * Harbor.
 *
 * Hub and GitLab.com are asked without credentials, which belong to their registries: private
 * repositories are not in their lists.
 *
 * @param namespace empty for all, where the product lists all.
 * @returns undefined where the registry is none of these products.
 * @throws {RegiError} when the list is refused or breaks off.
 */
export async function listVendorRepositories(
  connection: Connection,
  namespace: string,
  options: CallOptions = {},
): Promise<readonly string[] | undefined> {
  const action = `Cannot list the repositories of ${quote(`${connection.name}/${namespace}`)}`;
  switch (connection.name) {
    case 'docker.io':
      return listAll(connection, action, hubList(namespace), options);
    case 'registry.gitlab.com':
      return (
        (await listAll(connection, action, gitlabList('groups', namespace), options, true)) ??
        listAll(connection, action, gitlabList('projects', namespace), options)
      );
    default:
      return listAll(connection, action, harborList(namespace), options, true);
  }
}

/** @see https://docs.docker.com/reference/api/hub/latest/#tag/repositories */
function hubList(namespace: string): VendorList {
  return {
    page: (number) =>
      new URL(
        `https://${HUB_HOST}/v2/namespaces/${encodeURIComponent(namespace)}/repositories?page=${number}&page_size=${PAGE}`,
      ),
    itemsIn: (body) => listOf(isJsonObject(body) ? body['results'] : undefined),
    nameOf: ({ name }) => `${namespace}/${String(name)}`,
    isLast: (body) => !isJsonObject(body) || typeof body['next'] !== 'string',
  };
}

/** @see https://docs.gitlab.com/api/container_registry/#list-registry-repositories */
function gitlabList(kind: 'groups' | 'projects', namespace: string): VendorList {
  return {
    page: (number) =>
      new URL(
        `https://gitlab.com/api/v4/${kind}/${encodeURIComponent(namespace)}/registry/repositories?page=${number}&per_page=${PAGE}`,
      ),
    itemsIn: listOf,
    nameOf: ({ path }) => path,
    isLast: (_, headers) => (headers.get('x-next-page') ?? '') === '',
  };
}

/** @see https://github.com/goharbor/harbor/blob/v2.14.0/api/v2.0/swagger.yaml */
function harborList(namespace: string): VendorList {
  const [project = ''] = namespace.split('/', 1);
  const path =
    project === ''
      ? '/api/v2.0/repositories'
      : `/api/v2.0/projects/${encodeURIComponent(project)}/repositories`;
  return {
    page: (number) => `${path}?page=${number}&page_size=${PAGE}`,
    itemsIn: listOf,
    nameOf: ({ name }) => name,
    isLast: (_, headers, before) => before >= Number(headers.get('x-total-count') ?? 0),
  };
}

function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

/**
 * @param isProbe a response that is no such list means that there is none, in place of an error.
 */
async function listAll(
  connection: Connection,
  action: string,
  list: VendorList,
  { signal }: CallOptions,
  isProbe = false,
): Promise<readonly string[] | undefined> {
  const { clock, retries } = connection;
  const names = new Set<string>();
  let count = 0;
  for (let number = 1; number <= LIMITS.pages; number += 1) {
    const mayBeNone = isProbe && number === 1;
    const read = (): Promise<Page | undefined> =>
      readPage(connection, action, list.page(number), mayBeNone, signal);
    const page = await retryRead(read, { clock, retries, signal });
    const items = page === undefined ? undefined : list.itemsIn(page.body);
    if (page === undefined || (items === undefined && mayBeNone)) return undefined;
    if (items === undefined)
      throw invalidResponse(action, page.response, 'expected a list of repositories');
    const before = names.size;
    for (const item of items) {
      const name = isJsonObject(item) ? list.nameOf(item) : undefined;
      if (typeof name === 'string' && isRepository(name)) names.add(name);
    }
    count += items.length;
    if (list.isLast(page.body, page.response.headers, count)) return [...names].toSorted();
    if (names.size === before)
      throw new RegiError('FAILED', `${action} further: the next page has no new names`, {
        hint: 'the server pages its list badly; write an entry for each repository',
      });
  }
  throw new RegiError('LIMIT_EXCEEDED', `${action}: expected at most ${LIMITS.pages} pages`, {
    hint: 'the list of the registry does not end; report it to its operator',
  });
}

interface Page {
  readonly body: unknown;
  readonly response: RegistryResponse;
}

async function readPage(
  connection: Connection,
  action: string,
  place: URL | string,
  mayBeNone: boolean,
  signal: AbortSignal | undefined,
): Promise<Page | undefined> {
  const response = await get(connection, place, signal);
  if (mayBeNone && (response.status !== 200 || isWebPage(response))) {
    await discard(response);
    return undefined;
  }
  if (response.status !== 200) throw await responseError(action, response);
  const bytes = await readAtMost(response, LIMITS.pageBytes, 'the list of repositories');
  return { body: tryParseJson(bytes), response };
}

function isRepository(name: string): boolean {
  return referenceIn(`registry.invalid/${name}`)?.path === name;
}

function get(
  connection: Connection,
  place: URL | string,
  signal: AbortSignal | undefined,
): Promise<RegistryResponse> {
  const accept = 'application/json';
  return typeof place === 'string'
    ? connection.send('GET', place, { scopes: [], accept, redirects: 'none', signal })
    : connection.sendAnonymously('GET', place, { accept, signal });
}
