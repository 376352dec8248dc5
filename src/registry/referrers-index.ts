import { RegiError } from '../errors.ts';
import { type Descriptor, InvalidManifestError, toDescriptorJson } from '../oci/descriptor.ts';
import { algorithmOf, type Digest, digestOf, encodedOf } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-types.ts';
import type { CallOptions } from '../store.ts';
import { NotFoundError } from './errors.ts';
import { itemsIn } from './lists.ts';
import { fetchManifest, isManifestMissing, putManifest } from './manifests.ts';
import { display, type RemoteRepository } from './remote-repository.ts';

/** The index of the tag schema. Entries are kept as found: other tools may have put more into them than regi knows. */
export interface ReferrersIndex {
  readonly entries: readonly unknown[];
}

/** If-Match is ignored by registries, so what counts is what is there afterwards. */
const ATTEMPTS = 5;

/**
 * Reads the tag-schema index of a subject; undefined when the tag is missing or is no index: then there are no referrers.
 */
export async function readReferrersIndex(
  repository: RemoteRepository,
  subject: Digest,
  options: CallOptions = {},
): Promise<ReferrersIndex | undefined> {
  // Mostly there is none, and Docker Hub counts a GET as a pull.
  if (await isManifestMissing(repository, referrersTag(subject), options)) return undefined;
  const found = await fetchIndex(repository, subject, options);
  return found === 'other' ? undefined : found;
}

/**
 * Lists `referrer` in the tag-schema index of its subject, for registries that do not do so themselves.
 *
 * @throws {InvalidManifestError} when the tag is something else than an index: it is not ours to overwrite.
 * @throws {ReferrerLostError} when others write it at the same time, again and again.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject
 */
export async function addToReferrersIndex(
  repository: RemoteRepository,
  subject: Digest,
  referrer: Descriptor,
  options: CallOptions = {},
): Promise<void> {
  await changeIndex(repository, subject, options, (entries) =>
    lists(entries, referrer.digest) ? undefined : [...entries, toDescriptorJson(referrer)],
  );
}

/** Takes a manifest that was deleted out of the tag-schema index of its subject. */
export async function removeFromReferrersIndex(
  repository: RemoteRepository,
  subject: Digest,
  referrer: Digest,
  options: CallOptions = {},
): Promise<void> {
  await changeIndex(repository, subject, options, (entries) =>
    lists(entries, referrer) ? entries.filter((entry) => digestIn(entry) !== referrer) : undefined,
  );
}

/** @param change the new entries; undefined when they are right as they are. */
async function changeIndex(
  repository: RemoteRepository,
  subject: Digest,
  options: CallOptions,
  change: (entries: readonly unknown[]) => readonly unknown[] | undefined,
): Promise<void> {
  const tag = referrersTag(subject);
  await repository.connection.exclusively(`${repository.name}:${tag}`, async () => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found = await fetchIndex(repository, subject, options);
      if (found === 'other')
        throw new InvalidManifestError(
          `Cannot list a referrer in ${display(repository, tag)}: expected an index, found another manifest`,
        );
      const changed = change(found?.entries ?? []);
      if (changed === undefined) return;
      await putIndex(repository, tag, changed, options);
    }
    throw new RegiError(
      'FAILED',
      `Cannot list a referrer in ${display(repository, tag)}: another writer undoes it each time`,
      {
        hint: 'push the referrer again when nobody else pushes referrers of the same image',
      },
    );
  });
}

async function fetchIndex(
  repository: RemoteRepository,
  subject: Digest,
  options: CallOptions,
): Promise<ReferrersIndex | 'other' | undefined> {
  try {
    const { descriptor, bytes } = await fetchManifest(repository, referrersTag(subject), options);
    if (descriptor.mediaType !== MEDIA_TYPE.ociIndex) return 'other';
    const entries = itemsIn(JSON.parse(new TextDecoder().decode(bytes)), 'manifests');
    return entries === undefined ? 'other' : { entries };
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    if (error instanceof SyntaxError) return 'other';
    throw error;
  }
}

async function putIndex(
  repository: RemoteRepository,
  tag: string,
  manifests: readonly unknown[],
  options: CallOptions,
): Promise<void> {
  const bytes = new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }),
  );
  const descriptor: Descriptor = {
    mediaType: MEDIA_TYPE.ociIndex,
    digest: digestOf(bytes),
    size: bytes.byteLength,
  };
  await putManifest(repository, tag, { descriptor, bytes }, options);
}

function lists(entries: readonly unknown[], digest: Digest): boolean {
  return entries.some((entry) => digestIn(entry) === digest);
}

function digestIn(entry: unknown): unknown {
  return typeof entry === 'object' && entry !== null && 'digest' in entry
    ? entry.digest
    : undefined;
}

/**
 * The tag whose index lists the referrers of `subject` where the registry has no referrers API. Of a sha512 digest it holds only
 * the first 64 hex digits.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
 */
export function referrersTag(subject: Digest): string {
  return `${algorithmOf(subject).slice(0, 32)}-${encodedOf(subject).slice(0, 64)}`;
}
