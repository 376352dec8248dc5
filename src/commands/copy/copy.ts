import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { CopiedImage, CopyJob } from '../../operations/copy/copy-image.ts';
import { copyImages, type FailedJob } from '../../operations/copy/copy-images.ts';
import { quote } from '../../quote.ts';
import { canKeepUnnamed } from '../../store.ts';
import { withStores } from '../../targets/open-store.ts';
import { recordChanges } from '../../targets/planned-changes.ts';
import { flag, value } from '../arguments/arguments.ts';
import { Unusable } from '../arguments/matching-tags.ts';
import { copyOptions } from '../arguments/copy-options.ts';
import {
  digestRow,
  digestText,
  openDigestFile,
  plannedRow,
  type DigestRow,
} from '../output/digest-row.ts';
import { copyJobs, parseCopyRequest, type NamedJob } from './jobs.ts';

/** `regi copy`: copies images from any location to any location. */
export const copyCommand: CommandBody<DigestRow> = { run: runCopy, text: digestText };

async function* runCopy(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const request = await parseCopyRequest(args, context);
  if (request.kind === 'archive') {
    const { copyToArchive } = await import('./to-archive.ts');
    yield* withStores(context, {}, (stores) => copyToArchive(request, args, stores, context));
    return;
  }
  const unusable = new Unusable();
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, (stores) =>
    copyRows(copyJobs(request, args, stores, context, unusable), args, context),
  );
  unusable.check();
}

/**
 * Copies the images of a command and yields a row for each; the same rows go into `--digestfile`.
 *
 * @throws {RegiError} ALREADY_EXISTS when `--no-clobber` keeps the tag of the only image. Of
 *   several images, a kept one is noted, and the others are copied.
 */
export async function* copyRows(
  jobs: Iterable<NamedJob | FailedJob> | AsyncIterable<NamedJob | FailedJob>,
  args: ParsedArguments,
  context: Context,
): AsyncIterable<DigestRow> {
  const record = await openDigestFile(value(args, 'digestfile'), context);
  const planned = flag(args, 'dry-run') ? withChanges(jobs) : jobs;
  for await (const { job, ...copied } of copyImages(planned, copyOptions(args, context))) {
    if (copied.outcome === 'kept') {
      if (job.alone) throw tagKeptError(copied);
      context.note(`Kept ${copied.image}: it already exists with other content`);
    }
    await listUntagged(job, copied.root, context);
    const row = plannedRow(digestRow(copied, job.name), job.changes?.());
    await record(row);
    yield row;
  }
}

/** Counts the changes of each image of a dry run. */
export async function* withChanges<Job extends NamedJob>(
  jobs: Iterable<Job | FailedJob> | AsyncIterable<Job | FailedJob>,
): AsyncGenerator<Job | FailedJob> {
  for await (const job of jobs) {
    if ('error' in job) yield job;
    else {
      const { store: destination, changes } = recordChanges(job.destination);
      yield { ...job, destination, changes };
    }
  }
}

/** The only tag of a command exists with other content, and `--no-clobber` keeps it. */
export function tagKeptError({ image, root }: CopiedImage): RegiError {
  return new RegiError(
    'ALREADY_EXISTS',
    `Cannot copy to ${quote(image)}: it already exists with other content, ${root.digest}`,
    { hint: 'drop --no-clobber to move the tag, or choose another one' },
  );
}

/** Lists an image that was copied without a tag, in places where nothing else leads to it. */
export async function listUntagged(
  { destination, tag }: CopyJob,
  root: Descriptor,
  { signal }: Context,
): Promise<void> {
  if (tag === undefined && canKeepUnnamed(destination))
    await destination.keepUnnamed(root, { signal });
}
