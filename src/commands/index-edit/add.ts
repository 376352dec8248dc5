import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { withEntries } from '../../operations/edit/edit-index.ts';
import { flag, positional } from '../arguments/arguments.ts';
import { digestText, type DigestRow } from '../output/digest-row.ts';
import { gatherEntries, landEntries, landIndex, readIndex, warnOfSignatures } from './edit.ts';
import { parseLocation } from '../../targets/location.ts';
import { openToChange } from '../../targets/open-to-change.ts';
import { withStores } from '../../targets/open-store.ts';

/** `regi index add`: more images under the name of an index. */
export const indexAddCommand: CommandBody<DigestRow> = {
  run: runIndexAdd,
  text: digestText,
};

async function* runIndexAdd(args: ParsedArguments, context: Context): AsyncIterable<DigestRow> {
  const location = parseLocation(positional(args, 0, 'an index'));
  yield* withStores(context, {}, async function* (stores) {
    const opened = await openToChange(location, stores);
    const before = await readIndex(opened, context);
    const gathered = await gatherEntries(args.positionals.slice(1), location, stores, context);
    const index = withEntries(
      before,
      gathered.map(({ entry }) => entry),
      flag(args, 'replace'),
    );
    await landEntries(gathered, opened, context);
    const row = await landIndex(index, opened, context);
    yield row;
    await warnOfSignatures(before, row, opened, context);
  });
}
