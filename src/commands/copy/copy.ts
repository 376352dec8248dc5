import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { withStores } from '../../targets/open-store.ts';
import { flag } from '../arguments/arguments.ts';
import { type DigestRow, digestText } from '../output/digest-row.ts';
import { copyJobs, parseCopyRequest } from './jobs.ts';
import { copyRows } from './rows.ts';

/** `regi copy`: copies images from any location to any location. */
export const copyCommand: CommandBody<DigestRow> = { run: runCopy, text: digestText };

async function* runCopy(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const request = parseCopyRequest(args);
  if (request.kind === 'archive') {
    const { copyToArchive } = await import('./to-archive.ts');
    yield* withStores(context, {}, (stores) => copyToArchive(request, args, stores, context));
    return;
  }
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, (stores) =>
    copyRows(copyJobs(request, args, stores, context), args, context),
  );
}
