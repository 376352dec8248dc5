import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Repository } from '../../oci/reference.ts';
import { bringBase } from '../../operations/archive/base-layers.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { copyImages, type FailedJob } from '../../operations/copy/copy-images.ts';
import { Lanes } from '../../concurrency/lanes.ts';
import { together } from '../../concurrency/together.ts';
import { withKnownBlobs } from '../../stores/decorators/with-known-blobs.ts';
import { flag, value } from '../arguments/arguments.ts';
import { jobFrom, type NamedJob } from '../copy/jobs.ts';
import { copyOptions, lanesOf } from '../arguments/copy-options.ts';
import { TagKeptError } from '../copy/rows.ts';
import { digestRow, openDigestFile, type DigestRow } from '../output/digest-row.ts';
import type { ImageSource } from '../../targets/image-source.ts';
import { planBases, type PlannedBases } from './bases.ts';
import { planNames, type ImportNaming, type PlannedImport } from './names.ts';
import type { Stores } from '../../targets/open-store.ts';
import { tableLines } from '../../render/text.ts';

export interface ImportRow extends DigestRow {
  /** What the archive calls the image. */
  readonly source: string;
}

export interface ImportRequest {
  readonly from: ImageSource;
  readonly naming: ImportNaming;
  /** Repositories of the destination that may have what the archive leaves out. */
  readonly bases: readonly Repository[];
}

/** An image on its way. */
interface Import extends PlannedImport {
  readonly job: NamedJob;
}

/**
 * Brings every image of an archive to where its name says. Names and what the archive leaves out are checked for all before anything
 * is written; then one image that fails does not stop the others.
 *
 * @throws {UsageError} when two images go to one name.
 * @throws {ImportError} when an image has not the platforms that are wanted.
 * @throws {MissingBaseError} when layers are missing that the archive leaves out.
 * @throws {PartialFailureError} at the end, when some of several failed.
 */
export async function* importImages(
  { from, naming, bases: named }: ImportRequest,
  args: ParsedArguments,
  stores: Stores,
  context: Context,
): AsyncIterable<ImportRow> {
  const planned = planNames(from, naming);
  if (planned.length === 0) {
    context.warn('There is nothing to import: the archive holds no images');
    return;
  }
  context.onEvent({ kind: 'listed', images: planned.length });
  const record = await openDigestFile(value(args, 'digestfile'), context);
  const imports = await openAll(planned, from, stores);
  const given = copyOptions(args, context);
  const bases = await planBases(imports, from, {
    naming,
    platforms: given.platforms ?? [],
    bases: named,
    stores,
    context,
  });
  const byImage = new Map(imports.map((each) => [each.job.image, each]));
  const results = new Map<string, string>();
  const brought = new Set<string>();
  const onEvent = (event: CopyEvent): void => {
    if (event.kind === 'failed') results.set(event.image, 'failed');
    // It was mounted or sent a moment ago, and told.
    const isKnown =
      (event.kind === 'found' || event.kind === 'skipped') &&
      brought.has(keyOf(event.to, event.target));
    if (!isKnown) context.onEvent(event);
  };
  try {
    const options = { ...given, onEvent, keepGoing: imports.length > 1 };
    for await (const copied of copyImages(jobsOf(imports, bases, brought, context), options)) {
      const done = byImage.get(copied.image);
      if (done === undefined)
        throw new Error(`An image was copied that nobody planned: ${copied.image}`);
      if (copied.outcome === 'kept' && imports.length === 1)
        throw new TagKeptError(copied.image, copied.root);
      results.set(
        copied.image,
        flag(args, 'dry-run') && copied.outcome === 'copied' ? 'would be copied' : copied.outcome,
      );
      const row: ImportRow = { source: done.name, ...digestRow(copied, done.job.name) };
      await record(row);
      yield row;
    }
  } finally {
    tellResults(imports, results, context);
  }
}

/** Each image when what the archive leaves out of it is where it goes. @param brought takes what was brought there. */
async function* jobsOf(
  imports: readonly Import[],
  bases: ReadonlyMap<string, PlannedBases>,
  brought: Set<string>,
  context: Context,
): AsyncGenerator<NamedJob | FailedJob> {
  const { signal, onEvent } = context;
  const lanes = new Lanes(lanesOf(context));
  for (const { job } of imports) {
    const base = bases.get(job.image);
    try {
      const missing = (base?.held ?? []).filter(
        ({ need }) => !brought.has(keyOf(need.destination.repository, need.layer)),
      );
      await together(
        missing.map(
          ({ need, by }) =>
            (either: AbortSignal) =>
              bringBase(need, by, { lanes, signal: either, onEvent }),
        ),
        signal,
      );
      for (const { need } of missing) brought.add(keyOf(need.destination.repository, need.layer));
      yield base === undefined
        ? job
        : { ...job, destination: withKnownBlobs(job.destination, base.digests) };
    } catch (error) {
      if (!(error instanceof RegiError)) throw error;
      yield { image: job.image, error };
    }
  }
}

function keyOf(repository: string, { digest }: Descriptor): string {
  return `${repository} ${digest}`;
}

async function openAll(
  planned: readonly PlannedImport[],
  { store }: ImageSource,
  stores: Stores,
): Promise<readonly Import[]> {
  return Promise.all(
    planned.map(async (plan): Promise<Import> => {
      const { name, tag, root } = plan.image;
      const from = {
        store,
        reference: name ?? root.digest,
        tag,
        pinned: undefined,
        defaultTag: undefined,
        name: plan.name,
      };
      return { ...plan, job: await jobFrom(from, plan.target, stores, planned.length === 1) };
    }),
  );
}

/** A table for a person, when there is more than its one line can say. */
function tellResults(
  imports: readonly Import[],
  results: ReadonlyMap<string, string>,
  { note }: Context,
): void {
  if (imports.length < 2 || results.size === 0) return;
  const rows = imports.map(({ name, job }) => [
    name,
    job.image,
    results.get(job.image) ?? 'not begun',
  ]);
  for (const line of tableLines([['NAME', 'DESTINATION', 'RESULT'], ...rows])) note(line.trimEnd());
}
