import type { CommandBody, ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { parsePlatform } from '../oci/platform.ts';
import { copyImages, type CopyImagesOptions } from '../operations/copy-images.ts';
import type { CopiedImage } from '../operations/copy-image.ts';
import { warnOfReferrers } from '../operations/warn-of-referrers.ts';
import { flag, value, values } from './arguments.ts';
import { copyJobs, type NamedJob } from './copy-jobs.ts';
import { digestRow, writeDigestFile, type DigestRow } from './digest-row.ts';
import { withStores } from './open-store.ts';

/** `regi copy`: images from any location to any location. */
export const copyCommand: CommandBody<DigestRow> = {
  run: runCopy,
  text: ({ name, digest }) => `${name}@${digest}\n`,
};

async function* runCopy(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const { signal, onEvent } = context;
  const options: CopyImagesOptions = {
    signal,
    onEvent,
    platforms: values(args, 'platform').map((text) => parsePlatform(text, context.io.host)),
    force: flag(args, 'force'),
    noClobber: flag(args, 'no-clobber'),
    referrers: flag(args, 'referrers'),
    keepGoing: flag(args, 'keep-going'),
    lanes: lanesOf(context),
  };
  const rows: DigestRow[] = [];
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, async function* (stores) {
    const names = new Map<string, NamedJob>();
    const jobs = copyJobs(args, stores, context, (job) => names.set(job.image, job));
    for await (const copied of copyImages(jobs, options)) {
      const row = digestRow(copied, names.get(copied.image)?.name ?? copied.image);
      await warnIfBare(copied, names.get(copied.image), args, context);
      rows.push(row);
      yield row;
    }
  });
  await writeDigestFile(value(args, 'digestfile'), rows, context);
}

/** One image copied without its signatures gets a warning; many do not, for it costs two requests an image. */
async function warnIfBare(copied: CopiedImage, job: NamedJob | undefined, args: ParsedArguments, context: Context): Promise<void> {
  if (copied.outcome !== 'copied' || job === undefined || !job.alone || flag(args, 'referrers')) return;
  await warnOfReferrers(job.source, copied.root, context);
}

/** `--concurrency` means connections per host, so it bounds both lanes. */
export function lanesOf({ settings: { concurrency } }: Context): CopyImagesOptions['lanes'] {
  return concurrency === undefined ? undefined : { small: concurrency, large: concurrency };
}
