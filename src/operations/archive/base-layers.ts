import { verified } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { InvalidManifestError, type Descriptor } from '../../oci/descriptor.ts';
import { isForeignLayerType, isManifestType } from '../../oci/media-types.ts';
import { canMount, type CallOptions, type Source, type Store } from '../../store.ts';
import type { OnEvent } from '../copy/events.ts';
import { reported } from '../copy/reported.ts';
import { mapInOrder } from '../../concurrency/map-in-order.ts';
import type { Lanes } from '../../concurrency/lanes.ts';
import { carriedChildren } from '../copy/index-entries.ts';
import { narrowImage, type Wanted } from '../copy/narrow-image.ts';
import { readManifest, type ManifestNode } from '../copy/read-manifest.ts';

/** A layer that an archive omits, and the repository that one of its images goes to. */
export interface BaseNeed {
  readonly layer: Descriptor;
  readonly destination: Store;
  /** Other repositories of the same place, the likeliest first. */
  readonly candidates: readonly Store[];
}

/** Location of such a layer: `there` is the destination itself, `held` another repository. */
export type BaseOrigin =
  | { readonly kind: 'there' | 'nowhere' }
  | { readonly kind: 'held'; readonly by: Store };

export interface BaseOptions {
  readonly lanes: Lanes;
  readonly signal: AbortSignal;
}

const AT_ONCE = 64;

/**
 * Lists the blobs of an image that `source` does not carry.
 *
 * @param wanted what is copied of the image.
 * @throws {RegiError} with code NOT_FOUND when a platform or a manifest is missing: archives omit
 *   only layers.
 */
export async function blobsNotCarried(
  source: Source,
  root: Descriptor,
  wanted: Wanted,
  options: CallOptions = {},
): Promise<readonly Descriptor[]> {
  const found: Descriptor[] = [];
  const read = (node: Descriptor): Promise<ManifestNode> => readManifest(source, node, options);
  const narrowed = await narrowImage(await read(root), wanted, read, source, options);
  const visit = async ({ descriptor, manifest }: ManifestNode, depth: number): Promise<void> => {
    if (depth > LIMITS.indexDepth)
      throw new InvalidManifestError(
        `Cannot read ${descriptor.digest}: expected at most ${LIMITS.indexDepth} levels of indexes`,
      );
    for (const child of carriedChildren(manifest, narrowed?.carried)) {
      if (isManifestType(child.mediaType)) await visit(await read(child), depth + 1);
      else if (!isForeignLayerType(child.mediaType) && !(await source.exists(child, options)))
        found.push(child);
    }
  };
  if (narrowed !== undefined) await visit(narrowed.root, 0);
  return found;
}

/**
 * Locates layers that an archive omits, without writing anything. Returns them in the order of
 * `needs`.
 */
export async function locateBases(
  needs: readonly BaseNeed[],
  { lanes, signal }: BaseOptions,
): Promise<readonly BaseOrigin[]> {
  const has = (store: Store, layer: Descriptor, inner: AbortSignal): Promise<boolean> =>
    lanes.run([store.place], 0, inner, () => store.exists(layer, { signal: inner }));
  const locate = async (
    { layer, destination, candidates }: BaseNeed,
    inner: AbortSignal,
  ): Promise<BaseOrigin> => {
    if (await has(destination, layer, inner)) return { kind: 'there' };
    for (const by of candidates)
      if (await mayHave(() => has(by, layer, inner))) return { kind: 'held', by };
    return { kind: 'nowhere' };
  };
  const origins: BaseOrigin[] = [];
  for await (const origin of mapInOrder(needs, { limit: AT_ONCE, signal }, locate))
    origins.push(origin);
  return origins;
}

/** False also for a repository that the user may not read: it can give nothing. */
async function mayHave(ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask();
  } catch (error) {
    if (
      error instanceof RegiError &&
      (error.code === 'NOT_AUTHORISED' || error.code === 'NOT_FOUND')
    )
      return false;
    throw error;
  }
}

/**
 * Mounts a layer from the repository that has it; where the registry does not mount, fetches and
 * pushes its bytes.
 */
export async function bringBase(
  { layer, destination }: BaseNeed,
  by: Store,
  { lanes, signal, onEvent }: BaseOptions & { readonly onEvent: OnEvent },
): Promise<void> {
  const to = destination.repository;
  onEvent({ kind: 'found', target: layer, to });
  const content = verified(reported(by, layer, { to, signal, onEvent }), layer);
  const outcome = await lanes.run([destination.place], layer.size, signal, async () => {
    if (canMount(destination)) return destination.mount(layer, by.repository, content, { signal });
    await destination.push(layer, content, { signal });
    return 'copied';
  });
  onEvent(
    outcome === 'mounted'
      ? { kind: 'mounted', target: layer, from: by.repository, to }
      : { kind: 'copied', target: layer, to },
  );
}
