import { toDescriptorJson, type Descriptor } from '../oci/descriptor.ts';
import { parseDigest } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-types.ts';
import { canListReferrers, type ReferrerLister, type Store } from '../store.ts';
import { isNotFound, RefusedRequestError } from './errors.ts';
import { jsonAnswer, type Answer, type Call } from './exchange.ts';

/** Entries of one page. A page is an index, which clients take up to 4 MiB of; annotations make entries large. */
const PAGE_LENGTH = 500;

/**
 * Answers the manifests whose subject is `digest` as an index: an empty one for a digest that is not here, because a referrer
 * may be pushed before its subject.
 *
 * @param name the repository as the path has it.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export async function listReferrers(
  call: Call,
  store: Store,
  { name, digest }: { readonly name: string; readonly digest: string },
): Promise<Answer> {
  if (!canListReferrers(store))
    throw new RefusedRequestError(
      'UNSUPPORTED',
      'Cannot list referrers: this registry does not know them',
      { status: 404 },
    );
  const subject = parseDigest(digest);
  const artifactType = call.query.get('artifactType') ?? undefined;
  const last = call.query.get('last') ?? '';
  const found = await collectReferrers(
    store,
    { mediaType: MEDIA_TYPE.ociManifest, digest: subject, size: 0 },
    { artifactType, signal: call.signal },
  );
  const following = found
    .filter((entry) => entry.digest > last)
    .sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const page = following.slice(0, PAGE_LENGTH);
  const end = page.at(-1);
  const next =
    end !== undefined && following.length > page.length
      ? linkTo(`/v2/${name}/referrers/${subject}`, artifactType, end)
      : undefined;
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: page.map(toDescriptorJson),
  };
  return jsonAnswer(200, index, {
    'content-type': MEDIA_TYPE.ociIndex,
    ...(artifactType !== undefined && { 'oci-filters-applied': 'artifactType' }),
    ...(next !== undefined && { link: next }),
  });
}

async function collectReferrers(
  store: ReferrerLister,
  subject: Descriptor,
  {
    artifactType,
    signal,
  }: { readonly artifactType: string | undefined; readonly signal: AbortSignal },
): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  try {
    for await (const referrer of store.listReferrers(subject, { artifactType, signal })) {
      // A store may leave the filter to its caller; the answer's header promises that it was applied.
      if (artifactType === undefined || referrer.artifactType === artifactType)
        found.push(referrer);
    }
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return found;
}

function linkTo(path: string, artifactType: string | undefined, end: Descriptor): string {
  const query = new URLSearchParams({
    ...(artifactType !== undefined && { artifactType }),
    last: end.digest,
  });
  return `<${path}?${query.toString()}>; rel="next"`;
}
