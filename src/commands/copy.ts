import type { CommandBody, ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { archiveDestination } from './archive-destination.ts';
import { flag } from './arguments.ts';
import { copyJobs } from './copy-jobs.ts';
import { copyRows } from './copy-rows.ts';
import { digestText, type DigestRow } from './digest-row.ts';
import { withStores } from '../locations/open-store.ts';

/** `regi copy`: images from any location to any location. */
export const copyCommand: CommandBody<DigestRow> = {
  run: runCopy,
  text: digestText,
};

async function* runCopy(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const archive = archiveDestination(args);
  if (archive !== undefined) {
    const { copyToArchive } = await import('./copy-to-archive.ts');
    yield* withStores(context, {}, (stores) => copyToArchive(args, archive, stores, context));
    return;
  }
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, (stores) => copyRows(copyJobs(args, stores, context), args, context));
}
