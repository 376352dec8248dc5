import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { inOrder } from '../../concurrency/in-order.ts';
import { RegiError, UNREADABLE, UsageError } from '../../errors.ts';
import { tagFilter } from '../../operations/tags/select-tags.ts';
import { sortTags, TAG_ORDERS } from '../../operations/tags/sort-tags.ts';
import { formatPlatform } from '../../oci/platform.ts';
import type { PlatformChoice } from '../../operations/copy/resolve-image.ts';
import { parseTemplate } from '../../render/go-template.ts';
import { pageStyle } from '../../render/page-style.ts';
import type { Styled } from '../../styled.ts';
import type { Store } from '../../store.ts';
import { withStores } from '../../targets/open-store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { parseSourceRepository } from '../../targets/path.ts';
import { countOption, flag, positional, value, values } from '../arguments/arguments.ts';
import { tagsOf } from '../arguments/matching-tags.ts';

export interface TagRow {
  readonly tag: string;
  /** With `--digests`. Undefined when the tag was deleted meanwhile. */
  readonly digest?: string | undefined;
  /** With `--sort created` and `--long`. */
  readonly created?: string | undefined;
  /** With `--long`: compressed bytes of the image for this machine, or of the first one. */
  readonly size?: number | undefined;
  /** With `--long`. */
  readonly platforms?: readonly string[] | undefined;
  /** With `--long`, a line of the table, with the heading before the first one. */
  readonly line?: Styled | undefined;
}

/** Tags that are resolved at the same time; each costs one to three requests. */
const AT_ONCE = 16;
const MAX_LIMIT = 999_999_999;

/** `regi tags list`: prints one tag a line, as pages arrive. */
export const tagsListCommand: CommandBody<TagRow> = {
  run: runTagsList,
  text: ({ tag, digest, line }) => line ?? `${tag}${digest === undefined ? '' : `\t${digest}`}\n`,
  json: ({ line: _line, ...row }) => row,
};

function runTagsList(args: ParsedArguments, context: Context): AsyncIterable<TagRow> {
  const format = value(args, 'format');
  if (format !== undefined) return withTemplate(format, args, context);
  const wanted = wantsOf(args, '');
  const rows = listTags(args, wanted, context);
  return flag(args, 'long') && !context.settings.json ? withTable(rows, context) : rows;
}

/** Reads what the flags and the fields of a template need, and no more. */
function wantsOf(args: ParsedArguments, format: string): Wants {
  const has = (fields: RegExp): boolean => fields.test(format);
  return {
    digests: flag(args, 'digests') || has(/\.digest\b/i),
    created: value(args, 'sort') === 'created',
    long: flag(args, 'long') || has(/\.(?:created|size|platforms)\b/i),
  };
}

/** Gives every row the line of a template. */
async function* withTemplate(
  format: string,
  args: ParsedArguments,
  context: Context,
): AsyncIterable<TagRow> {
  if (context.settings.json || flag(args, 'long'))
    throw new UsageError('Cannot use --format together with --json or --long', {
      hint: 'use one of them',
    });
  const template = parseTemplate(format);
  for await (const row of listTags(args, wantsOf(args, format), context)) {
    const { tag, digest = '', created = '', size = '', platforms = [] } = row;
    yield { ...row, line: `${template({ tag, digest, created, size, platforms })}\n` };
  }
}

/** Gives every row its line. A table needs all rows. */
async function* withTable(rows: AsyncIterable<TagRow>, context: Context): AsyncIterable<TagRow> {
  const { tagTable } = await import('../../render/tags.ts');
  const found = await context.wait('Reading tags', () => all(rows));
  const lines = tagTable(found, { ...pageStyle(context), now: context.io.clock.now() });
  for (const [at, row] of found.entries()) yield { ...row, line: lines[at] };
}

function listTags(args: ParsedArguments, wants: Wants, context: Context): AsyncIterable<TagRow> {
  return withStores(context, {}, (stores) => listIn(stores, args, wants, context));
}

async function* listIn(
  stores: Stores,
  args: ParsedArguments,
  wants: Wants,
  context: Context,
): AsyncIterable<TagRow> {
  const location = await parseSourceRepository(positional(args, 0, 'a repository'), context.io);
  const accepts = tagFilter(values(args, 'match'));
  const order = TAG_ORDERS.find((known) => known === value(args, 'sort'));
  const limit = countOption(args, 'limit', MAX_LIMIT) ?? Number.POSITIVE_INFINITY;
  const isReversed = flag(args, 'reverse');
  const opened = await stores.open(location, 'source');
  const { store } = opened;
  const tags = tagsOf(opened, context);
  if (order === undefined && !isReversed) {
    const rows = accepted(tags, accepts, limit);
    const listed = wants.digests || wants.long ? looked(store, rows, wants, context) : rows;
    // Not yield*, which wraps each row in two more promises.
    for await (const row of listed) yield row;
    return;
  }
  // Sorting needs the dates of all tags; only the tags that are shown need their digests.
  const rows = accepted(tags, accepts, Number.POSITIVE_INFINITY);
  const found = await context.wait('Reading tags', () =>
    all(wants.created ? looked(store, rows, wants, context) : rows),
  );
  const sorted = order === undefined ? found : sortTags(found, order);
  const shown = (isReversed ? sorted.toReversed() : sorted).slice(0, Math.min(limit, found.length));
  yield* wants.created || !(wants.digests || wants.long)
    ? shown
    : looked(store, shown, wants, context);
}

interface Wants {
  readonly digests: boolean;
  readonly created: boolean;
  readonly long: boolean;
}

/** Stops at the limit, so that no further page is requested. */
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
  const outcomes = inOrder(
    asynchronous(rows),
    { limit, signal: context.signal },
    async ({ tag }, signal) => settled(look(store, tag, wants, { ...context, signal })),
  );
  for await (const outcome of outcomes) {
    context.signal.throwIfAborted();
    if ('error' in outcome) throw outcome.error;
    yield outcome.row;
  }
}

async function look(
  store: Store,
  tag: string,
  { digests, created, long }: Wants,
  { io, signal }: Pick<Context, 'io' | 'signal'>,
): Promise<TagRow> {
  try {
    if (long) return { tag, ...(await readLong(store, tag, { host: io.host }, signal)) };
    const root = await store.resolve(tag, { signal });
    if (!created) return { tag, digest: root.digest };
    const { readCreated } = await import('../../operations/inspect/read-created.ts');
    return {
      tag,
      ...(digests && { digest: root.digest }),
      created: await readCreated(store, root, { signal }),
    };
  } catch (error) {
    // A tag that was deleted meanwhile, or whose image is incomplete, must not hide the others.
    if (error instanceof RegiError && UNREADABLE.has(error.code)) return { tag };
    throw error;
  }
}

async function readLong(
  store: Store,
  tag: string,
  choice: PlatformChoice,
  signal: AbortSignal,
): Promise<Omit<TagRow, 'tag'>> {
  const { inspectImage } = await import('../../operations/inspect/inspect-image.ts');
  const { digest, manifests, image } = await inspectImage(store, tag, choice, { signal });
  const platforms = manifests.flatMap(({ platform, attests }) =>
    platform === undefined || attests !== undefined ? [] : [platform],
  );
  const own = image?.platform === undefined ? [] : [image.platform];
  return {
    digest,
    created: image?.created,
    size: image?.compressedSize,
    platforms: [...new Set((manifests.length > 0 ? platforms : own).map(formatPlatform))],
  };
}

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
