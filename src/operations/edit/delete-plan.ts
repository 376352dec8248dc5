import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { canListReferrers, canListTags, type CallOptions, type Store } from '../../store.ts';
import { inOrder } from '../../concurrency/in-order.ts';
import { resolveIfThere } from '../copy/resolve-image.ts';

/** What a manifest takes along when it is deleted, and what it leaves behind. */
export interface DeletionPlan {
  /** The tags that name it. Undefined where the place does not list its tags. */
  readonly tags: readonly string[] | undefined;
  /** Manifests that refer to it, and will refer to nothing. */
  readonly referrers: number;
}

export interface LookOptions extends CallOptions {
  readonly signal: AbortSignal;
  /** Tags looked at together. */
  readonly limit: number;
  /** Called once, when there are so many tags that it takes a while. */
  readonly onMany?: (() => void) | undefined;
}

/** More than this take longer than a person expects. */
const MANY_TAGS = 500;

/** A place that lists nothing, or not for us. Everything else is a failure. */
const CANNOT_LIST: ReadonlySet<string> = new Set(['NOT_FOUND', 'REFUSED', 'UNSUPPORTED']);

/**
 * Finds which tags name a manifest, by asking for each: registries keep no list the other way.
 *
 * @throws {RegiError} when a tag cannot be asked for: what cannot be seen must not be deleted unawares.
 */
export async function lookBeforeDelete(
  store: Store,
  target: Descriptor,
  options: LookOptions,
): Promise<DeletionPlan> {
  const [tags, referrers] = await Promise.all([
    tagsOf(store, target, options),
    countReferrers(store, target, options),
  ]);
  return { tags, referrers };
}

async function tagsOf(
  store: Store,
  { digest }: Descriptor,
  { signal, limit, onMany }: LookOptions,
): Promise<readonly string[] | undefined> {
  if (!canListTags(store)) return undefined;
  const found: string[] = [];
  let seen = 0;
  const listed = listOrNothing(store.listTags({ signal }));
  const answers = inOrder(listed.items, { limit, signal }, async (tag, inner) => {
    seen += 1;
    if (seen === MANY_TAGS) onMany?.();
    try {
      return { tag, found: await resolveIfThere(store, tag, { signal: inner }) };
    } catch (error) {
      return { tag, error };
    }
  });
  for await (const answer of answers) {
    signal.throwIfAborted();
    if ('error' in answer) throw answer.error;
    if (answer.found?.digest === digest) found.push(answer.tag);
  }
  return listed.refused() ? undefined : found;
}

function listOrNothing(tags: AsyncIterable<string>): {
  readonly items: AsyncIterable<string>;
  readonly refused: () => boolean;
} {
  let refused = false;
  return {
    refused: () => refused,
    items: {
      async *[Symbol.asyncIterator]() {
        try {
          yield* tags;
        } catch (error) {
          if (!(error instanceof RegiError) || !CANNOT_LIST.has(error.code)) throw error;
          refused = true;
        }
      },
    },
  };
}

async function countReferrers(
  store: Store,
  target: Descriptor,
  { signal }: LookOptions,
): Promise<number> {
  if (!canListReferrers(store)) return 0;
  let count = 0;
  try {
    for await (const _ of store.listReferrers(target, { signal })) count += 1;
  } catch (error) {
    // It is told, and decides nothing.
    signal.throwIfAborted();
    if (!(error instanceof RegiError)) throw error;
  }
  return count;
}
