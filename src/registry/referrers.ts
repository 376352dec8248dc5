import { LimitExceededError } from '../bytes.ts';
import { formatCount } from '../format.ts';
import { readStart } from '../http/body.ts';
import { LIMITS } from '../limits.ts';
import { InvalidManifestError, parseDescriptor, type Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isTelling, parseManifest, shownTypeOf } from '../oci/manifest.ts';
import { essence, MEDIA_TYPE } from '../oci/media-types.ts';
import type { CallOptions, ReferrerOptions } from '../store.ts';
import type { RegistryResponse } from './connection.ts';
import { isResponseError } from './errors.ts';
import { listPages } from './lists.ts';
import { parseProblems } from './problems.ts';
import { askReferrersSupport, type ReferrersSupport } from './referrers-support.ts';
import { fetchManifest } from './manifests.ts';
import { readReferrersIndex, referrersTag } from './referrers-index.ts';
import { display, scopesToRead, type RemoteRepository } from './remote-repository.ts';

/** A registry without the referrers API, whose tag is read instead. Never reaches callers. */
class NoReferrersApi extends Error {}

const API_ABSENT: ReadonlySet<number> = new Set([404, 405, 406, 501]);

/**
 * Yields the manifests whose subject is `target`, by the referrers API or else by the tag schema.
 *
 * Entries that are no descriptors are left out, with one warning.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export async function* listReferrers(
  repository: RemoteRepository,
  target: Descriptor,
  options: ReferrerOptions = {},
): AsyncGenerator<Descriptor> {
  const { artifactType } = options;
  let count = 0;
  let unusable = 0;
  for await (const referrer of referrersOf(repository, target, options)) {
    count += 1;
    if (count > LIMITS.descriptors)
      throw new LimitExceededError(
        `Cannot list the referrers of ${display(repository, target.digest)}: expected at most ${LIMITS.descriptors}`,
      );
    if (referrer === undefined) unusable += 1;
    else if (artifactType === undefined) yield referrer;
    else {
      // Registries may ignore the filter of the request (OCI-Filters-Applied).
      const type = await typeOf(repository, referrer, options);
      if (type === artifactType) yield { ...referrer, artifactType };
    }
  }
  if (unusable > 0)
    repository.connection.warn(
      `"${repository.connection.name}" lists ${formatCount(unusable, 'referrer')} of ${display(repository, target.digest)} that cannot be read; left out`,
    );
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

/**
 * Reads the manifest where the list hides the type: cosign's says only that the config is empty.
 */
async function typeOf(
  repository: RemoteRepository,
  { artifactType, digest }: Descriptor,
  options: CallOptions,
): Promise<string | undefined> {
  if (isTelling(artifactType)) return artifactType;
  try {
    const { bytes, descriptor } = await fetchManifest(repository, digest, options);
    return shownTypeOf(parseManifest(bytes, descriptor.mediaType));
  } catch (error) {
    // One that is gone or no manifest has no type, and does not hide the others.
    if (isResponseError(error, 'NOT_FOUND') || error instanceof InvalidManifestError)
      return undefined;
    throw error;
  }
}

/** Yields undefined for an entry that is no descriptor. */
async function* referrersOf(
  repository: RemoteRepository,
  target: Descriptor,
  options: ReferrerOptions,
): AsyncGenerator<Descriptor | undefined> {
  try {
    yield* referrersByApi(repository, target.digest, options);
  } catch (error) {
    // Only the first response throws this, so nothing was yielded yet.
    if (!(error instanceof NoReferrersApi)) throw error;
    if (options.listed?.has(referrersTag(target.digest)) === false) return;
    const index = await readReferrersIndex(repository, target.digest, options);
    yield* index?.entries.map(parseEntry) ?? [];
  }
}

/** @throws {NoReferrersApi} before the first item, at the expense of no request if that is known. */
async function* referrersByApi(
  repository: RemoteRepository,
  subject: Digest,
  options: ReferrerOptions,
): AsyncGenerator<Descriptor> {
  const asked = await askReferrersSupport(repository, options.signal);
  if (asked.support === 'absent') throw new NoReferrersApi();
  const found = asked.support === undefined ? asked.found : (): void => {};
  try {
    // Not yield*, which wraps each item in two more promises.
    for await (const item of pagesOfApi(repository, subject, options, found)) yield item;
  } finally {
    // The first response has called it, unless there was none.
    found('unclear');
  }
}

function pagesOfApi(
  repository: RemoteRepository,
  subject: Digest,
  { artifactType, whole, signal }: ReferrerOptions,
  found: (support: ReferrersSupport) => void,
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
    checkFirst: (response) => requireApi(response, found),
    member: 'manifests',
    parse: parseEntry,
    keyOf: ({ digest }) => digest,
    whole,
    signal,
  });
}

function parseEntry(entry: unknown, index: number): Descriptor | undefined {
  try {
    return parseDescriptor(entry, `manifests[${index}]`);
  } catch (error) {
    if (error instanceof InvalidManifestError) return undefined;
    throw error;
  }
}

async function requireApi(
  response: RegistryResponse,
  found: (support: ReferrersSupport) => void,
): Promise<void> {
  const { status } = response;
  const isIndex = essence(response.headers.get('content-type') ?? '') === MEDIA_TYPE.ociIndex;
  if (status === 200 && isIndex) return found('present');
  const isAbsent = API_ABSENT.has(status) || (status >= 300 && status < 400) || status === 200;
  if (!isAbsent) return;
  const problems = parseProblems(Buffer.from(await readStart(response)).toString('utf8'));
  // A registry may lack this subject, or the repository, and have the API.
  found(problems.some(({ code }) => code !== undefined) ? 'unclear' : 'absent');
  throw new NoReferrersApi();
}
