import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { RegiError, UsageError } from '../../errors.ts';
import { inOrder } from '../../concurrency/in-order.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import { sortTags, TAG_ORDERS } from '../../operations/tags/sort-tags.ts';
import { parseCount } from '../../option-values.ts';
import { canListTags, type Store } from '../../store.ts';
import { flag, positional, value, values } from '../arguments/arguments.ts';
import { parseRepositoryLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';

export interface TagRow {
  readonly tag: string;
  /** With `--digests`. Undefined when the tag names nothing any more. */
  readonly digest?: string | undefined;
  /** With `--sort created`. */
  readonly created?: string | undefined;
}

/** Tags looked at together; each costs a request or three. */
const AT_ONCE = 16;
const MAX_LIMIT = 999_999_999;

/** `regi tags list`: one tag a line, as pages arrive. */
export const tagsListCommand: CommandBody<TagRow> = {
  run: runTagsList,
  text: ({ tag, digest }) => `${tag}${digest === undefined ? '' : `\t${digest}`}\n`,
};

function runTagsList(args: ParsedArguments, context: Context): AsyncIterable<TagRow> {
  const location = parseRepositoryLocation(positional(args, 0, 'a repository'));
  const accepts = tagFilter(values(args, 'match'));
  const order = TAG_ORDERS.find((known) => known === value(args, 'sort'));
  const limitText = value(args, 'limit');
  const limit =
    limitText === undefined
      ? Number.POSITIVE_INFINITY
      : parseCount('--limit', limitText, 1, MAX_LIMIT);
  const wants: Wants = { digests: flag(args, 'digests'), created: order === 'created' };
  return withStores(context, {}, async function* (stores) {
    const { store, name } = await stores.open(location, 'source');
    if (!canListTags(store)) throw new UsageError(`Cannot list the tags of "${name}"`);
    const tags = store.listTags({ signal: context.signal });
    if (order === undefined) {
      const rows = accepted(tags, accepts, limit);
      yield* wants.digests ? looked(store, rows, wants, context) : rows;
      return;
    }
    // Dates must be known of all before the first can be chosen; digests only of those that are shown.
    const rows = accepted(tags, accepts, Number.POSITIVE_INFINITY);
    const found = await all(wants.created ? looked(store, rows, wants, context) : rows);
    const shown = sortTags(found, order).slice(0, Math.min(limit, found.length));
    yield* wants.created || !wants.digests ? shown : looked(store, shown, wants, context);
  });
}

interface Wants {
  readonly digests: boolean;
  readonly created: boolean;
}

/** The page behind the last that is wanted is not asked for. */
async function* accepted(
  tags: AsyncIterable<string>,
  accepts: (tag: string) => boolean,
  limit: number,
): AsyncIterable<TagRow> {
  let count = 0;
  for await (const tag of tags) {
    if (!accepts(tag)) continue;
    yield { tag };
    count += 1;
    if (count >= limit) return;
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function* looked(
  store: Store,
  rows: Iterable<TagRow> | AsyncIterable<TagRow>,
  wants: Wants,
  context: Context,
): AsyncIterable<TagRow> {
  const limit = context.settings.concurrency ?? AT_ONCE;
  const answers = inOrder(
    asynchronous(rows),
    { limit, signal: context.signal },
    async ({ tag }, signal) => settled(look(store, tag, wants, signal)),
  );
  for await (const answer of answers) {
    context.signal.throwIfAborted();
    if ('error' in answer) throw answer.error;
    yield answer.row;
  }
}

async function look(
  store: Store,
  tag: string,
  { digests, created }: Wants,
  signal: AbortSignal,
): Promise<TagRow> {
  try {
    const root = await store.resolve(tag, { signal });
    if (!created) return { tag, digest: root.digest };
    const { readCreated } = await import('../../operations/inspect/read-created.ts');
    return {
      tag,
      ...(digests && { digest: root.digest }),
      created: await readCreated(store, root, { signal }),
    };
  } catch (error) {
    // Deleted meanwhile, or a tag whose image is not whole: the others are still wanted.
    if (error instanceof RegiError && SHOWN_WITHOUT.has(error.code)) return { tag };
    throw error;
  }
}

const SHOWN_WITHOUT: ReadonlySet<string> = new Set([
  'NOT_FOUND',
  'INVALID_MANIFEST',
  'UNSUPPORTED',
  'CONTENT_MISMATCH',
  'LIMIT_EXCEEDED',
]);

async function settled<Row>(
  row: Promise<Row>,
): Promise<{ readonly row: Row } | { readonly error: unknown }> {
  try {
    return { row: await row };
  } catch (error) {
    return { error };
  }
}

async function* asynchronous<T>(items: Iterable<T> | AsyncIterable<T>): AsyncIterable<T> {
  yield* items;
}
