import type { CopySession } from '../../operations/copy/session.ts';
import { readCreated } from '../../operations/inspect/read-created.ts';
import type { Source } from '../../store.ts';
import type { FactCache } from '../state/cache.ts';

export interface CreatedOptions {
  readonly session: CopySession;
  readonly cache: FactCache;
  readonly signal: AbortSignal;
  readonly limit: <T>(task: () => Promise<T>) => Promise<T>;
}

/**
 * Reads when the images of tags were made: one HEAD for each tag, and its manifest and config for
 * each new digest.
 */
export async function createdDates(
  source: Source,
  tags: readonly string[],
  { session, cache, signal, limit }: CreatedOptions,
): Promise<ReadonlyMap<string, string | undefined>> {
  const dateOf = async (tag: string): Promise<string | undefined> => {
    const root = await session.ask(source, signal, () => source.resolve(tag, { signal }));
    const known = cache.get(root.digest)?.created;
    if (known !== undefined) return known === '' ? undefined : known;
    const created = await session.ask(source, signal, () => readCreated(source, root, { signal }));
    cache.set(root.digest, { created: created ?? '' });
    return created;
  };
  return new Map(
    await Promise.all(
      tags.map((tag) =>
        limit(async (): Promise<readonly [string, string | undefined]> => [tag, await dateOf(tag)]),
      ),
    ),
  );
}
