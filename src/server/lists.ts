import { canListTags, type Place, type Store } from '../store.ts';
import { isNotFound, RefusedRequestError } from './errors.ts';
import { type Answer, type AnswerHeaders, type Call, jsonAnswer } from './exchange.ts';

/** Most names on one page when the client asks for no number, or for more: keeps a page far under what clients read. */
const PAGE_LENGTH = 10_000;

export interface Page {
  readonly names: readonly string[];
  /** Carries `Link` when more follow. */
  readonly headers: AnswerHeaders;
}

/**
 * Cuts the page out of a listing that `n` and `last` ask for, in ASCII order.
 *
 * @param path of the endpoint, for the link to the next page.
 * @throws {RefusedRequestError} when `n` is no number.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
async function pageOf(
  names: AsyncIterable<string>,
  query: URLSearchParams,
  path: string,
): Promise<Page> {
  const length = pageLength(query.get('n'));
  const last = query.get('last');
  const following: string[] = [];
  for await (const name of names) if (last === null || name > last) following.push(name);
  following.sort(compare);
  const page = following.slice(0, length);
  const end = page.at(-1);
  if (end === undefined || following.length === page.length) return { names: page, headers: {} };
  const next = new URLSearchParams({ n: String(length), last: end });
  return { names: page, headers: { link: `<${path}?${next.toString()}>; rel="next"` } };
}

function pageLength(n: string | null): number {
  if (n === null) return PAGE_LENGTH;
  if (!/^[0-9]{1,15}$/.test(n))
    throw new RefusedRequestError(
      'PAGINATION_NUMBER_INVALID',
      `Cannot use n=${JSON.stringify(n.slice(0, 32))}: expected a whole number`,
    );
  return Math.min(Number(n), PAGE_LENGTH);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * Answers the repositories of the place. Not of the OCI specification, but what every client knows.
 *
 * @see https://distribution.github.io/distribution/spec/api/#listing-repositories
 */
export async function listRepositories(call: Call, place: Place): Promise<Answer> {
  const page = await pageOf(
    place.repositories({ signal: call.signal }),
    call.query,
    '/v2/_catalog',
  );
  return jsonAnswer(200, { repositories: page.names }, page.headers);
}

/**
 * Answers the tags of a repository.
 *
 * @param name the repository as the path has it.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
export async function listTags(
  call: Call,
  { place, store }: { readonly place: Place; readonly store: Store },
  name: string,
): Promise<Answer> {
  if (!canListTags(store))
    throw new RefusedRequestError(
      'UNSUPPORTED',
      'Cannot list tags: this registry keeps no list of them',
    );
  const page = await tagPage(call, store.listTags({ signal: call.signal }), name);
  if (page.names.length === 0 && !(await hasRepository(place, store.repository, call.signal)))
    throw unknownName(name);
  return jsonAnswer(200, { name, tags: page.names }, page.headers);
}

async function tagPage(call: Call, tags: AsyncIterable<string>, name: string): Promise<Page> {
  try {
    return await pageOf(tags, call.query, `/v2/${name}/tags/list`);
  } catch (error) {
    throw isNotFound(error) ? unknownName(name) : error;
  }
}

async function hasRepository(
  place: Place,
  repository: string,
  signal: AbortSignal,
): Promise<boolean> {
  for await (const name of place.repositories({ signal })) if (name === repository) return true;
  return false;
}

function unknownName(name: string): RefusedRequestError {
  return new RefusedRequestError('NAME_UNKNOWN', `Cannot find repository ${JSON.stringify(name)}`, {
    detail: { name },
  });
}
