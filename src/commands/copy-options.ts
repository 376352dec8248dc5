import type { ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { parsePlatform } from '../oci/platform.ts';
import type { CopiedImage } from '../operations/copy-image.ts';
import type { CopyImagesOptions } from '../operations/copy-images.ts';
import { DEFAULT_LANES } from '../operations/lanes.ts';
import { warnOfReferrers } from '../operations/warn-of-referrers.ts';
import { flag, values } from './arguments.ts';
import type { NamedJob } from './copy-jobs.ts';
import { configuredLanes } from './host-lanes.ts';

/** What the flags say of a copy; those that a command does not have are not set. */
export function copyOptions(args: ParsedArguments, context: Context): CopyImagesOptions {
  const { signal, onEvent } = context;
  return {
    signal,
    onEvent,
    platforms: values(args, 'platform').map((text) => parsePlatform(text, context.io.host)),
    force: flag(args, 'force'),
    noClobber: flag(args, 'no-clobber'),
    referrers: flag(args, 'referrers'),
    keepGoing: flag(args, 'keep-going'),
    lanes: lanesOf(context),
  };
}

/** One image copied without its signatures gets a warning; many do not, for it costs two requests an image. */
export async function warnIfBare(copied: CopiedImage, job: NamedJob | undefined, args: ParsedArguments, context: Context): Promise<void> {
  if (copied.outcome !== 'copied' || job === undefined || !job.alone || flag(args, 'referrers')) return;
  await warnOfReferrers(job.source, copied.root, { ...context, concurrency: context.settings.concurrency });
}

/** `--concurrency` means connections per host, so that it bounds large and small ones together. Without it a host has what config.yaml says. */
export function lanesOf(context: Context): CopyImagesOptions['lanes'] {
  const { concurrency } = context.settings;
  return (place) => {
    const both = concurrency ?? configuredLanes(context, place);
    return both === undefined ? DEFAULT_LANES : { both };
  };
}
