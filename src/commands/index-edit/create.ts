import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { newIndex } from '../../operations/edit/edit-index.ts';
import { UsageError } from '../../errors.ts';
import { positional, values } from '../arguments/arguments.ts';
import { digestText, type DigestRow } from '../output/digest-row.ts';
import { gatherEntries, landEntries, landIndex } from './edit.ts';
import { parseLocation } from '../../targets/location.ts';
import { parseAnnotations } from '../arguments/annotations.ts';
import { withStores } from '../../targets/open-store.ts';

/** `regi index create`: one name for images of several platforms. */
export const indexCreateCommand: CommandBody<DigestRow> = {
  run: runIndexCreate,
  text: digestText,
};

async function* runIndexCreate(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const typed = positional(args, 0, 'the name of the index');
  const location = parseLocation(typed);
  const { digest } = 'path' in location ? location : location.reference;
  if (digest !== undefined) {
    throw new UsageError(
      `Cannot create "${typed}": the digest of an index follows from what is in it`,
      { hint: 'leave out the digest, and give a tag' },
    );
  }
  const annotations = parseAnnotations(values(args, 'annotation'));
  yield* withStores(context, {}, async function* (stores) {
    const gathered = await gatherEntries(args.positionals.slice(1), location, stores, context);
    // Made before anything is copied: two images of one platform are found at once.
    const index = newIndex(
      gathered.map(({ entry }) => entry),
      annotations,
    );
    const opened = await stores.open(location, 'destination');
    await landEntries(gathered, opened, context);
    yield await landIndex(index, opened, context);
  });
}
