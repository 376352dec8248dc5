import { RefusedRequestError } from './errors.ts';
import type { AnswerHeaders } from './exchange.ts';

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
export async function pageOf(names: AsyncIterable<string>, query: URLSearchParams, path: string): Promise<Page> {
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
    throw new RefusedRequestError('PAGINATION_NUMBER_INVALID', `Cannot use n=${JSON.stringify(n.slice(0, 32))}: expected a whole number`);
  return Math.min(Number(n), PAGE_LENGTH);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
