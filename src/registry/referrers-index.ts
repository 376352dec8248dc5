import { RegiError } from '../errors.ts';
import { tryParseJson } from '../json.ts';
import { type Descriptor, InvalidManifestError, toDescriptorJson } from '../oci/descriptor.ts';
import { algorithmOf, type Digest, digestOf, encodedOf } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-types.ts';
import { parseTag, type Tag } from '../oci/reference.ts';
import type { CallOptions } from '../store.ts';
import { isResponseError } from './errors.ts';
import { itemsIn } from './lists.ts';
import { putManifest } from './manifest-writes.ts';
import { fetchManifest, isManifestMissing } from './manifests.ts';
import { display, type RemoteRepository } from './remote-repository.ts';

/** The index of the tag schema. Entries stay as found: other tools may store more in them. */
export interface ReferrersIndex {
  readonly entries: readonly unknown[];
}

/** Registries ignore If-Match, so a write is checked by reading the index again. */
const ATTEMPTS = 5;

/**
 * Reads the tag-schema index of a subject; undefined without referrers, when the tag is missing or
 * names no index.
 */
export async function readReferrersIndex(
  repository: RemoteRepository,
  subject: Digest,
  options: CallOptions = {},
): Promise<ReferrersIndex | undefined> {
  // Most subjects have no such tag, and Docker Hub counts a GET as a pull.
  if (await isManifestMissing(repository, referrersTag(subject), options)) return undefined;
  const found = await fetchIndex(repository, subject, options);
  return typeof found === 'string' ? undefined : found;
}

/**
 * Adds `referrer` to the tag-schema index of its subject, for registries that do not list it
 * themselves.
 *
 * @throws {InvalidManifestError} when the tag names no index: it must not be overwritten.
 * @throws {RegiError} with code FAILED when other writers keep overwriting it.
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

/** Removes a deleted manifest from the tag-schema index of its subject. */
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

/** @param change returns the new entries; undefined when the current ones are right. */
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
      if (found === 'subject')
        throw new RegiError(
          'UNSUPPORTED',
          `Cannot list a referrer in ${display(repository, tag)}: "${repository.connection.name}" responds with the image itself`,
          {
            hint: 'this registry has no referrers API, and keeps that tag for itself; the referrer was stored, and is found by its digest only',
          },
        );
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
      `Cannot list a referrer in ${display(repository, tag)}: the referrers tag keeps being overwritten by another client`,
      {
        hint: 'push the referrer again when no other client pushes referrers of the same image',
      },
    );
  });
}

async function fetchIndex(
  repository: RemoteRepository,
  subject: Digest,
  options: CallOptions,
): Promise<ReferrersIndex | 'other' | 'subject' | undefined> {
  try {
    const { descriptor, bytes } = await fetchManifest(repository, referrersTag(subject), options);
    // GitLab responds to sha256-HEX with the manifest of that digest; its children are no
    // referrers.
    if (descriptor.digest === subject) return 'subject';
    if (descriptor.mediaType !== MEDIA_TYPE.ociIndex) return 'other';
    const entries = itemsIn(tryParseJson(bytes), 'manifests');
    return entries === undefined ? 'other' : { entries };
  } catch (error) {
    if (isResponseError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

async function putIndex(
  repository: RemoteRepository,
  tag: Tag,
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
 * Returns the tag of the index that lists the referrers of `subject`, for registries without the
 * referrers API. It has only the first 64 hex digits of a sha512 digest.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
 */
export function referrersTag(subject: Digest): Tag {
  return parseTag(`${algorithmOf(subject).slice(0, 32)}-${encodedOf(subject).slice(0, 64)}`);
}
