import { toDescriptorJson, type Descriptor } from '../oci/descriptor.ts';
import { parseDigest } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-types.ts';
import { quote } from '../quote.ts';
import {
  canListReferrers,
  canListTags,
  type Place,
  type ReferrerLister,
  type Store,
} from '../store.ts';
import { isNotFound, RefusedRequestError } from './errors.ts';
import { jsonResponse, type Call, type CallResponse, type ResponseHeaders } from './exchange.ts';

/** Names on one page unless the client requests fewer: keeps a page far below what clients read. */
const NAMES_PER_PAGE = 10_000;
/**
 * A page of referrers is an index, and clients read at most 4 MiB of it; annotations make entries
 * large.
 */
const REFERRERS_PER_PAGE = 500;

/**
 * Lists the repositories of the place. Not in the OCI specification, but known to every client.
 *
 * @see https://distribution.github.io/distribution/spec/api/#listing-repositories
 */
export async function listRepositories(call: Call, place: Place): Promise<CallResponse> {
  const names = place.repositories({ signal: call.signal });
  const page = await pageOfNames(call, names, '/v2/_catalog');
  return jsonResponse(200, { repositories: page.items }, page.headers);
}

/**
 * Lists the tags of a repository.
 *
 * @param name the repository in the path.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
 */
export async function listTags(
  call: Call,
  { place, store }: { readonly place: Place; readonly store: Store },
  name: string,
): Promise<CallResponse> {
  const { signal } = call;
  if (!canListTags(store))
    throw new RefusedRequestError(
      'UNSUPPORTED',
      'Cannot list tags: this registry keeps no list of them',
    );
  try {
    const page = await pageOfNames(call, store.listTags({ signal }), `/v2/${name}/tags/list`);
    if (page.items.length === 0 && !(await hasRepository(place, store.repository, signal)))
      throw unknownName(name);
    return jsonResponse(200, { name, tags: page.items }, page.headers);
  } catch (error) {
    throw isNotFound(error) ? unknownName(name) : error;
  }
}

/**
 * Lists the manifests whose subject is `digest` as an index. The index is empty for an unknown
 * digest, because a referrer may be pushed before its subject.
 *
 * @param name the repository in the path.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export async function listReferrers(
  call: Call,
  store: Store,
  { name, digest }: { readonly name: string; readonly digest: string },
): Promise<CallResponse> {
  if (!canListReferrers(store))
    throw new RefusedRequestError(
      'UNSUPPORTED',
      'Cannot list referrers: this registry keeps no list of them',
      { status: 404 },
    );
  const subject = parseDigest(digest);
  const artifactType = call.query.get('artifactType') ?? undefined;
  const page = pageOf(
    await collectReferrers(store, subject, artifactType, call.signal),
    (referrer) => referrer.digest,
    {
      path: `/v2/${name}/referrers/${subject}`,
      last: call.query.get('last'),
      length: REFERRERS_PER_PAGE,
      query: artifactType === undefined ? {} : { artifactType },
    },
  );
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: page.items.map(toDescriptorJson),
  };
  return jsonResponse(200, index, {
    'content-type': MEDIA_TYPE.ociIndex,
    ...(artifactType !== undefined && { 'oci-filters-applied': 'artifactType' }),
    ...page.headers,
  });
}

async function collectReferrers(
  store: ReferrerLister,
  digest: Descriptor['digest'],
  artifactType: string | undefined,
  signal: AbortSignal,
): Promise<readonly Descriptor[]> {
  const subject = { mediaType: MEDIA_TYPE.ociManifest, digest, size: 0 };
  const found: Descriptor[] = [];
  try {
    for await (const referrer of store.listReferrers(subject, { artifactType, signal })) {
      // A store may leave the filter to its caller; the response header promises that it was
      // applied.
      if (artifactType === undefined || referrer.artifactType === artifactType)
        found.push(referrer);
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return found;
}

/** Cuts the page that `n` and `last` request out of a list of names. */
async function pageOfNames(
  { query }: Call,
  names: AsyncIterable<string>,
  path: string,
): Promise<Page<string>> {
  const length = pageLength(query.get('n'));
  const all: string[] = [];
  for await (const name of names) all.push(name);
  return pageOf(all, (name) => name, {
    path,
    last: query.get('last'),
    length,
    query: { n: String(length) },
  });
}

interface Page<Item> {
  readonly items: readonly Item[];
  /** Contains `Link` if more items follow. */
  readonly headers: ResponseHeaders;
}

interface PageRequest {
  /** Path of the endpoint, for the link to the next page. */
  readonly path: string;
  /** The key after which the page begins; null for the first page. */
  readonly last: string | null;
  readonly length: number;
  /** Further parameters of the link. */
  readonly query: Readonly<Record<string, string>>;
}

/** Cuts one page out of a list, in ASCII order of the keys. */
function pageOf<Item>(
  all: readonly Item[],
  keyOf: (item: Item) => string,
  { path, last, length, query }: PageRequest,
): Page<Item> {
  const following = all
    .filter((item) => last === null || keyOf(item) > last)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : Number(keyOf(a) > keyOf(b))));
  const items = following.slice(0, length);
  const end = items.at(-1);
  if (end === undefined || following.length === items.length) return { items, headers: {} };
  const next = new URLSearchParams({ ...query, last: keyOf(end) });
  return { items, headers: { link: `<${path}?${next.toString()}>; rel="next"` } };
}

/** @throws {RefusedRequestError} when `n` is no number. */
function pageLength(n: string | null): number {
  if (n === null) return NAMES_PER_PAGE;
  if (!/^[0-9]{1,15}$/.test(n))
    throw new RefusedRequestError(
      'PAGINATION_NUMBER_INVALID',
      `Cannot use n=${quote(n)}: expected a whole number`,
    );
  return Math.min(Number(n), NAMES_PER_PAGE);
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
  return new RefusedRequestError('NAME_UNKNOWN', `Cannot find repository ${quote(name)}`, {
    detail: { name },
  });
}
