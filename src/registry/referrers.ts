import { LimitExceededError } from '../bytes.ts';
import { discard } from '../http/body.ts';
import { LIMITS } from '../limits.ts';
import { parseDescriptor, type Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { essence, MEDIA_TYPE } from '../oci/media-types.ts';
import type { CallOptions, ReferrerOptions } from '../store.ts';
import type { RegistryResponse } from './connection.ts';
import { itemsIn, listPages } from './lists.ts';
import { readReferrersIndex } from './referrers-index.ts';
import { display, scopesToRead, type RemoteRepository } from './remote-repository.ts';

/** A registry without the referrers API, whose tag is read instead. Never reaches callers. */
class NoReferrersApi extends Error {}

const API_ABSENT: ReadonlySet<number> = new Set([404, 405, 406, 501]);

/**
 * Yields the manifests whose subject is `target`, by the referrers API or else by the tag schema.
 *
 * @throws {InvalidManifestError} when an entry is no descriptor.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export async function* listReferrers(
  repository: RemoteRepository,
  target: Descriptor,
  options: ReferrerOptions = {},
): AsyncGenerator<Descriptor> {
  const { artifactType } = options;
  let count = 0;
  for await (const referrer of referrersOf(repository, target, options)) {
    count += 1;
    if (count > LIMITS.descriptors)
      throw new LimitExceededError(
        `Cannot list the referrers of ${display(repository, target.digest)}: expected at most ${LIMITS.descriptors}`,
      );
    // Registries may ignore the filter of the request (OCI-Filters-Applied).
    if (artifactType === undefined || referrer.artifactType === artifactType) yield referrer;
  }
}

/** True if the registry lists referrers itself, so that it needs no referrers tag. */
export async function hasReferrersApi(
  repository: RemoteRepository,
  subject: Digest,
  options: CallOptions = {},
): Promise<boolean> {
  try {
    for await (const _ of referrersByApi(repository, subject, options)) break;
    return true;
  } catch (error) {
    if (error instanceof NoReferrersApi) return false;
    throw error;
  }
}

async function* referrersOf(
  repository: RemoteRepository,
  target: Descriptor,
  options: ReferrerOptions,
): AsyncGenerator<Descriptor> {
  try {
    yield* referrersByApi(repository, target.digest, options);
  } catch (error) {
    // Only the first response throws this, so nothing was yielded yet.
    if (!(error instanceof NoReferrersApi)) throw error;
    yield* (
      (await readReferrersIndex(repository, target.digest, options))?.entries.map((entry, index) =>
        parseDescriptor(entry, `manifests[${index}]`),
      ) ?? []
    );
  }
}

function referrersByApi(
  repository: RemoteRepository,
  subject: Digest,
  { artifactType, signal }: ReferrerOptions,
): AsyncIterable<Descriptor> {
  const { connection, name } = repository;
  const query =
    artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
  return listPages(connection, {
    path: `/v2/${name}/referrers/${subject}${query}`,
    scopes: scopesToRead(repository),
    repository: name,
    accept: MEDIA_TYPE.ociIndex,
    // ghcr.io redirects to a web page of github.com.
    redirects: 'none',
    action: `Cannot list the referrers of ${display(repository, subject)}`,
    checkFirst: requireApi,
    itemsOf: (body) =>
      itemsIn(body, 'manifests')?.map((item, index) =>
        parseDescriptor(item, `manifests[${index}]`),
      ),
    keyOf: ({ digest }) => digest,
    signal,
  });
}

async function requireApi(response: RegistryResponse): Promise<void> {
  const { status } = response;
  const isIndex = essence(response.headers.get('content-type') ?? '') === MEDIA_TYPE.ociIndex;
  const isAbsent =
    API_ABSENT.has(status) || (status >= 300 && status < 400) || (status === 200 && !isIndex);
  if (!isAbsent) return;
  await discard(response);
  throw new NoReferrersApi();
}
