import type { CommandBody, ParsedArguments } from '../command.ts';
import type { Context } from '../context.ts';
import { tagFilter } from '../operations/select-tags.ts';
import { canListTags } from '../store.ts';
import { UsageError } from '../usage-error.ts';
import { positional, values } from './arguments.ts';
import { parseRepositoryLocation } from './location.ts';
import { withStores } from './open-store.ts';

export interface TagRow {
  readonly tag: string;
}

/** `regi tags list`: one tag a line, as pages arrive. */
export const tagsListCommand: CommandBody<TagRow> = {
  run: runTagsList,
  text: ({ tag }) => `${tag}\n`,
};

async function* runTagsList(args: ParsedArguments, context: Context): AsyncIterable<TagRow> {
  const location = parseRepositoryLocation(positional(args, 0, 'a repository'));
  const accepts = tagFilter(values(args, 'match'));
  yield* withStores(context, {}, async function* (stores) {
    const { store, name } = await stores.open(location, 'source');
    if (!canListTags(store)) throw new UsageError(`Cannot list the tags of "${name}"`);
    for await (const tag of store.listTags({ signal: context.signal })) if (accepts(tag)) yield { tag };
  });
}
