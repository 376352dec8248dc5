import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Digest } from '../../oci/digest.ts';
import { familiarReference } from '../../oci/reference.ts';
import { summarizeImage, type ImageSummary } from '../../operations/inspect/summarize-image.ts';
import type { CallOptions } from '../../store.ts';
import type { LocalImage, LocalStore } from '../../stores/layout/local-store.ts';
import { UsageError } from '../../errors.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { parseImageFilter, timeOf } from './image-filter.ts';
import { imageLines, parseImageFormat, type ImageFormat } from '../../render/images.ts';
import { findLocal } from '../../targets/local-images.ts';
import { withStores } from '../../targets/open-store.ts';

/** An image of the local store by one of its names. */
export interface ImageRow {
  /** In full; undefined for an image without a name. */
  readonly name: string | undefined;
  /** As people write it: `nginx`. */
  readonly repository: string | undefined;
  readonly tag: string | undefined;
  /** Of what was pulled: of an index, although one platform of it is here. */
  readonly digest: string;
  readonly manifest: Digest;
  readonly id: Digest;
  readonly created: string | undefined;
  /** Bytes, compressed as it is kept. */
  readonly size: number;
  readonly platform: string | undefined;
  /** As it is printed, and above the first the head of a table. */
  readonly line: string;
}

/** `regi images`: what the local store holds. */
export const imagesCommand: CommandBody<ImageRow> = {
  run: runImages,
  text: ({ line }) => line,
  json: ({ line: _line, ...row }) => row,
};

async function* runImages(args: ParsedArguments, context: Context): AsyncIterable<ImageRow> {
  const now = context.io.clock.now();
  const filter = parseImageFilter(args.positionals[0], values(args, 'filter'), now);
  const format = formatOf(args, context);
  yield* withStores(context, {}, async function* (stores) {
    const { signal, settings, warn, note } = context;
    const store = await stores.openLocal('source');
    const accepts = filter.accepting(await timesOf(filter.others, store, { signal }));
    const found: { readonly image: LocalImage; readonly summary: ImageSummary }[] = [];
    for (const image of await store.images({ signal })) {
      const summary = await summarizeImage(store.whole, image.root, { signal });
      if (accepts(image, summary)) found.push({ image, summary });
    }
    for (const { image, summary } of found) {
      if (summary.problem !== undefined)
        warn(
          `${image.name ?? image.root.digest} is damaged: ${summary.problem}`,
          `to mend it, type: regi pull ${image.name ?? 'REF'}`,
        );
    }
    const rows = found.toSorted(byAge).map(({ image, summary }) => rowOf(image, summary));
    if (rows.length === 0 && !settings.quiet)
      note('There are no such images in the local store; to get one, type: regi pull REF');
    const shown = settings.json ? rows : listed(rows, args, settings.quiet);
    const lines = imageLines(shown, format, { whole: flag(args, 'no-trunc'), now });
    for (const [index, row] of shown.entries()) yield { ...row, line: lines[index] ?? '' };
  });
}

type Row = Omit<ImageRow, 'line'>;

function rowOf(
  { name, reference, root, pulled }: LocalImage,
  { id, created, size, platform }: ImageSummary,
): Row {
  const repository =
    reference === undefined
      ? name
      : familiarReference({ domain: reference.domain, path: reference.path });
  return {
    name,
    repository,
    tag: reference?.tag,
    digest: pulled ?? root.digest,
    manifest: root.digest,
    id,
    created,
    size,
    platform,
  };
}

/** As docker: an id once, and no line for a digest of what has a tag beside it, unless digests are shown. */
function listed(rows: readonly Row[], args: ParsedArguments, quiet: boolean): readonly Row[] {
  if (quiet) return [...new Map(rows.map((row) => [row.id, row])).values()];
  if (flag(args, 'digests')) return rows;
  const tagged = new Set(
    rows.flatMap(({ repository, tag, id }) =>
      tag === undefined ? [] : [`${repository ?? ''} ${id}`],
    ),
  );
  return rows.filter(
    ({ repository, tag, id }) =>
      repository === undefined || tag !== undefined || !tagged.has(`${repository} ${id}`),
  );
}

/** @throws {UsageError} when two flags say how. */
function formatOf(args: ParsedArguments, { settings }: Context): ImageFormat {
  const digests = flag(args, 'digests');
  const typed = value(args, 'format');
  if (typed === undefined) return settings.quiet ? { kind: 'id' } : { kind: 'table', digests };
  if (settings.quiet || settings.json) {
    const other = settings.quiet ? '--quiet' : '--json';
    throw new UsageError(`Cannot use --format together with ${other}`, {
      hint: 'leave one of them out',
    });
  }
  return parseImageFormat(typed, digests);
}

/** When the images that others are compared with were made. */
async function timesOf(
  others: readonly string[],
  store: LocalStore,
  options: CallOptions,
): Promise<ReadonlyMap<string, number | undefined>> {
  const times = new Map<string, number | undefined>();
  for (const text of others) {
    const [image] = (await findLocal(store, text, options)).images;
    if (image !== undefined)
      times.set(text, timeOf((await summarizeImage(store.whole, image.root, options)).created));
  }
  return times;
}

/** The youngest first, as docker does it. */
function byAge(
  a: { readonly image: LocalImage; readonly summary: ImageSummary },
  b: typeof a,
): number {
  const [first, second] = [a, b].map(({ summary }) => Date.parse(summary.created ?? '') || 0);
  return (second ?? 0) - (first ?? 0) || compareNames(a.image.name, b.image.name);
}

/** Not by the language of the machine, and those without a name last. */
function compareNames(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  return a < b ? -1 : 1;
}
