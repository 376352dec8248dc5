import { mapInOrder } from '../../concurrency/map-in-order.ts';
import { RegiError, UNREADABLE } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { childrenOf } from '../../oci/manifest.ts';
import { isIndexType } from '../../oci/media-types.ts';
import type { CallOptions, Store, TagLister } from '../../store.ts';
import { readManifest } from '../copy/read-manifest.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';
import { readCreated } from '../inspect/read-created.ts';

/** A tag and its image. */
export interface TaggedImage {
  readonly tag: string;
  readonly root: Descriptor;
}

/** The tags of a repository that a pattern selects for deletion. */
export interface DeletableTags {
  readonly tags: readonly TaggedImage[];
  /** Selected tags that stay because a tag that was not selected names the same image. */
  readonly shared: readonly { readonly tag: string; readonly by: string }[];
  /** Selected tags that stay because their image has no date. */
  readonly undated: readonly string[];
}

export interface SelectDeletableOptions extends CallOptions {
  readonly signal: AbortSignal;
  readonly accepts: (tag: string) => boolean;
  /** Images that were created later stay; milliseconds since 1970. Undefined selects any age. */
  readonly before: number | undefined;
  /** Tags resolved at once. */
  readonly limit: number;
}

/**
 * Selects tags by name and age. An image that any other tag names, itself or in its index, is never
 * selected: some registries delete the image with its tag.
 *
 * @throws {RegiError} when the list breaks off or a tag cannot be resolved: nothing is deleted
 *   unseen.
 */
export async function selectDeletable(
  store: Store & TagLister,
  { accepts, before, limit, signal }: SelectDeletableOptions,
): Promise<DeletableTags> {
  const listed = store.listTags({ signal, whole: true });
  const resolved = mapInOrder(listed, { limit, signal }, async (tag, inner) => ({
    tag,
    root: await resolveIfThere(store, tag, { signal: inner }),
  }));
  const [wanted, others]: [TaggedImage[], TaggedImage[]] = [[], []];
  for await (const { tag, root } of resolved)
    // A tag that was deleted meanwhile names nothing.
    if (root !== undefined) (accepts(tag) ? wanted : others).push({ tag, root });
  const undated: string[] = [];
  const old: TaggedImage[] = [];
  const dated = mapInOrder(wanted, { limit, signal }, async (image, inner) => ({
    image,
    created: before === undefined ? undefined : await dateOf(store, image.root, inner),
  }));
  for await (const { image, created } of dated) {
    if (before === undefined || (created !== undefined && created < before)) old.push(image);
    else {
      if (created === undefined) undated.push(image.tag);
      others.push(image);
    }
  }
  const keepers = await keptDigests(store, others, { limit, signal });
  return {
    tags: old.filter(({ root }) => !keepers.has(root.digest)),
    shared: old.flatMap(({ tag, root }) => {
      const by = keepers.get(root.digest);
      return by === undefined ? [] : [{ tag, by }];
    }),
    undated,
  };
}

/**
 * Maps the digests that must stay to a tag that needs each: the targets of tags, and the entries of
 * their indexes.
 */
async function keptDigests(
  store: Store,
  kept: readonly TaggedImage[],
  { limit, signal }: { readonly limit: number; readonly signal: AbortSignal },
): Promise<ReadonlyMap<Digest, string>> {
  const keepers = new Map(kept.map(({ tag, root }) => [root.digest, tag]));
  const indexes = new Map(
    kept
      .filter(({ root }) => isIndexType(root.mediaType))
      .map((image) => [image.root.digest, image]),
  );
  const read = mapInOrder(indexes.values(), { limit, signal }, async ({ tag, root }, inner) => ({
    tag,
    children: childrenOf((await readManifest(store, root, { signal: inner })).manifest),
  }));
  for await (const { tag, children } of read)
    for (const { digest } of children) if (!keepers.has(digest)) keepers.set(digest, tag);
  return keepers;
}

async function dateOf(
  store: Store,
  root: Descriptor,
  signal: AbortSignal,
): Promise<number | undefined> {
  try {
    const date = Date.parse((await readCreated(store, root, { signal })) ?? '');
    return Number.isNaN(date) ? undefined : date;
  } catch (error) {
    signal.throwIfAborted();
    // A damaged image has no date that could be trusted.
    if (error instanceof RegiError && UNREADABLE.has(error.code)) return undefined;
    throw error;
  }
}
