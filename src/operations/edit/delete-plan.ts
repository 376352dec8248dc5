import { mapInOrder } from '../../concurrency/map-in-order.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { canListReferrers, canListTags, type CallOptions, type Store } from '../../store.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';

/** The effects of deleting a manifest. */
export interface DeletePlan {
  /**
   * Tags that point to it and are deleted with it. Undefined where the place does not list its
   * tags.
   */
  readonly tags: readonly string[] | undefined;
  /** Number of referrers that lose their subject. */
  readonly referrers: number;
}

export interface DeletePlanOptions extends CallOptions {
  readonly signal: AbortSignal;
  /** Tags resolved at once. */
  readonly limit: number;
  /** Called once if there are many tags and the check takes a while. */
  readonly onMany?: (() => void) | undefined;
}

/** Checking more tags than this takes longer than a person expects. */
const MANY_TAGS = 500;

/** Codes of a place that has no list, or refuses it to this user. Any other code is a failure. */
const CANNOT_LIST: ReadonlySet<string> = new Set(['NOT_FOUND', 'REFUSED', 'UNSUPPORTED']);

/**
 * Finds the tags that point to a manifest by resolving each tag: registries keep no list in the
 * other direction.
 *
 * @throws {RegiError} when a tag cannot be resolved: a tag must not be deleted unseen.
 */
export async function planDelete(
  store: Store,
  target: Descriptor,
  options: DeletePlanOptions,
): Promise<DeletePlan> {
  const [tags, referrers] = await Promise.all([
    tagsOf(store, target, options),
    countReferrers(store, target, options),
  ]);
  return { tags, referrers };
}

async function tagsOf(
  store: Store,
  { digest }: Descriptor,
  { signal, limit, onMany }: DeletePlanOptions,
): Promise<readonly string[] | undefined> {
  if (!canListTags(store)) return undefined;
  let isRefused = false;
  let seen = 0;
  async function* listed(tags: AsyncIterable<string>): AsyncGenerator<string> {
    try {
      yield* tags;
    } catch (error) {
      if (!(error instanceof RegiError) || !CANNOT_LIST.has(error.code)) throw error;
      isRefused = true;
    }
  }
  const resolve = async (
    tag: string,
    inner: AbortSignal,
  ): Promise<{ readonly tag: string; readonly found: Descriptor | undefined }> => {
    seen += 1;
    if (seen === MANY_TAGS) onMany?.();
    return { tag, found: await resolveIfThere(store, tag, { signal: inner }) };
  };
  const tags: string[] = [];
  const resolved = mapInOrder(
    listed(store.listTags({ signal, whole: true })),
    { limit, signal },
    resolve,
  );
  for await (const { tag, found } of resolved) if (found?.digest === digest) tags.push(tag);
  return isRefused ? undefined : tags;
}

async function countReferrers(
  store: Store,
  target: Descriptor,
  { signal }: DeletePlanOptions,
): Promise<number> {
  if (!canListReferrers(store)) return 0;
  let count = 0;
  try {
    for await (const _ of store.listReferrers(target, { signal })) count += 1;
  } catch (error) {
    // The number is only shown; nothing depends on it.
    signal.throwIfAborted();
    if (!(error instanceof RegiError)) throw error;
  }
  return count;
}
