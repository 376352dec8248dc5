import type { Source } from '../store.ts';
import { openArchive, type ArchiveOptions, type ArchivePlace } from './archive.ts';

/** An archive together with earlier ones. */
export interface SourceWithBases {
  readonly source: Source;
  /** Closes the earlier ones. */
  readonly close: () => Promise<void>;
}

/**
 * An archive that has, besides its own, the content of earlier ones: what an incremental archive leaves out is in them. Names mean
 * what they mean in `store`.
 *
 * @param bases absolute paths.
 * @throws as `openArchive`.
 */
export async function withBases(store: Source, bases: readonly string[], options: Omit<ArchiveOptions, 'name'>): Promise<SourceWithBases> {
  const opened: ArchivePlace[] = [];
  const close = async (): Promise<void> => void (await Promise.all(opened.map((base) => base.close())));
  try {
    for (const path of bases) opened.push(await openArchive(path, options));
  } catch (error) {
    await close();
    throw error;
  }
  const stores: readonly Source[] = [store, ...opened.map((base) => base.open(''))];
  const source: Source = {
    place: store.place,
    repository: store.repository,
    resolve: (reference, call) => store.resolve(reference, call),
    async exists(target, call) {
      for (const candidate of stores) if (await candidate.exists(target, call)) return true;
      return false;
    },
    fetch: (target, call) => ({
      async *[Symbol.asyncIterator]() {
        for (const candidate of stores) if (await candidate.exists(target, call)) return yield* candidate.fetch(target, call);
        // It says best itself what it lacks.
        yield* store.fetch(target, call);
      },
    }),
  };
  return { source, close };
}
