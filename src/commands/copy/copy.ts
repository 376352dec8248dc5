import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { type ArchiveLocation, parseLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import { flag } from '../arguments/arguments.ts';
import { type DigestRow, digestText } from '../output/digest-row.ts';
import { copyJobs } from './jobs.ts';
import { copyRows } from './rows.ts';

/** `regi copy`: images from any location to any location. */
export const copyCommand: CommandBody<DigestRow> = {
  run: runCopy,
  text: digestText,
};

async function* runCopy(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const archive = archiveDestination(args);
  if (archive !== undefined) {
    const { copyToArchive } = await import('./to-archive.ts');
    yield* withStores(context, {}, (stores) => copyToArchive(args, archive, stores, context));
    return;
  }
  yield* withStores(context, { dryRun: flag(args, 'dry-run') }, (stores) =>
    copyRows(copyJobs(args, stores, context), args, context),
  );
}

/** The archive that a copy goes to; undefined when it goes elsewhere. */
export function archiveDestination(args: ParsedArguments): ArchiveLocation | undefined {
  const text = args.positionals[1];
  if (text === undefined || !/^(?:\w+-)?archive:/.test(text)) return undefined;
  const location = parseLocation(text);
  return location.kind === 'archive' ||
    location.kind === 'docker-archive' ||
    location.kind === 'oci-archive'
    ? location
    : undefined;
}
