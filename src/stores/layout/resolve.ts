import { collectVerified } from '../../bytes.ts';
import { SeveralImagesError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isDigestTag, type Digest } from '../../oci/digest.ts';
import { manifestTypeOf } from '../../oci/manifest.ts';
import { quote, quotePath } from '../../quote.ts';
import type { CallOptions } from '../../store.ts';
import { describeNames } from '../not-found.ts';
import { type Content, reachableFrom, referrersAmong } from './graph.ts';
import {
  descriptorOf,
  type LayoutEntry,
  type LayoutIndex,
  nameOf,
  namesOf,
  usable,
} from './index-json.ts';

/** Content that knows the sizes of its blobs. */
export interface SizedContent extends Content {
  /** The size of a blob in bytes; undefined when it is missing. */
  sizeOf(digest: Digest): number | undefined | Promise<number | undefined>;
}

/**
 * Resolves a digest to the entry or manifest of that digest; undefined when it is missing or no
 * manifest.
 */
export async function resolveDigest(
  content: SizedContent,
  { entries }: LayoutIndex,
  digest: Digest,
  options?: CallOptions,
): Promise<Descriptor | undefined> {
  const entry = entries.find((candidate) => candidate.digest === digest);
  if (entry !== undefined) return descriptorOf(entry);
  const size = await content.sizeOf(digest);
  // A blob over the limit is no manifest, whatever its bytes are.
  if (size === undefined || size > LIMITS.manifestBytes) return undefined;
  const unknown = { mediaType: 'application/octet-stream', digest, size };
  const bytes = await collectVerified(
    content.fetch(unknown, options),
    unknown,
    LIMITS.manifestBytes,
  );
  const mediaType = manifestTypeOf(bytes);
  return mediaType === undefined ? undefined : { mediaType, digest, size };
}

/**
 * Returns the entries of all images, each once, without signatures and other referrers where there
 * are several.
 */
export async function imageEntries(
  content: Content,
  { entries }: LayoutIndex,
  options?: CallOptions,
): Promise<readonly LayoutEntry[]> {
  const named = entries.filter(({ refName }) => refName === undefined || !isDigestTag(refName));
  const distinct = [...new Map(named.map((entry) => [entry.digest, entry])).values()];
  if (distinct.length < 2) return distinct;
  // "oras cp -r" and "oras backup" list children and referrers beside the image, which alone has a
  // name.
  const [only, ...others] = new Map(
    named.filter(hasOwnName).map((entry) => [entry.digest, entry]),
  ).values();
  if (only !== undefined && others.length === 0) return [only];
  const candidates = usable(distinct);
  const hidden = new Set<unknown>(await referrersAmong(content, candidates, options));
  for (const root of candidates)
    for (const digest of await reachableFrom(content, [root], options))
      if (digest !== root.digest) hidden.add(digest);
  return distinct.filter((entry) => hasOwnName(entry) || !hidden.has(entry.digest));
}

/**
 * True for a name that is more than a repository and the digest of the entry, as archives name
 * referrers.
 */
function hasOwnName(entry: LayoutEntry): boolean {
  const name = nameOf(entry);
  return name !== undefined && !name.endsWith(`@${String(entry.digest)}`);
}

/**
 * Returns the image of the entries that a reference means; undefined when there are none.
 *
 * @param place for messages.
 * @throws {SeveralImagesError} when they are different images.
 */
export function onlyImage(
  entries: readonly LayoutEntry[],
  index: LayoutIndex,
  reference: string,
  place: string,
): Descriptor | undefined {
  const [first] = entries;
  if (first === undefined) return undefined;
  if (entries.every(({ digest }) => digest === first.digest)) return descriptorOf(first);
  const wanted = reference === '' ? 'an image' : `one image named ${quote(reference)}`;
  const names = namesOf({ ...index, entries });
  throw new SeveralImagesError(
    `Cannot choose ${wanted} in ${quotePath(place)}: expected one, found several`,
    { hint: `name it in full, or by its digest; ${describeNames(names)}` },
  );
}
