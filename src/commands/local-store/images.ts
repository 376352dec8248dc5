import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { UsageError } from '../../errors.ts';
import { familiarReference } from '../../oci/reference.ts';
import { summarizeImage, type ImageSummary } from '../../operations/inspect/summarize-image.ts';
import { imageLines, parseImageFormat, type ImageFormat } from '../../render/images.ts';
import { pageStyle } from '../../render/page-style.ts';
import type { CallOptions } from '../../store.ts';
import { findLocal, type LocalImage, type LocalStore } from '../../targets/local.ts';
import { withStores } from '../../targets/open-store.ts';
import { flag, value, values } from '../arguments/arguments.ts';
import { parseImageFilter, timeOf } from './image-filter.ts';
import { imagesIn, placesOf, withoutArtifacts, type ImageRow } from './images-in.ts';

/** `regi images`: lists the images of the local store. */
export const imagesCommand: CommandBody<ImageRow> = {
  run: runImages,
  text: ({ line }) => line,
  json: ({ line: _line, ...row }) => row,
};

async function* runImages(args: ParsedArguments, context: Context): AsyncIterable<ImageRow> {
  const [typed] = args.positionals;
  const places = typed === undefined ? undefined : await placesOf(typed, context);
  if (places !== undefined) {
    if (values(args, 'filter').length > 0)
      throw new UsageError('Cannot use --filter with an archive or a layout', {
        hint: 'drop it, or import the images first: regi import FILE',
      });
    const options = {
      format: formatOf(args, context),
      whole: flag(args, 'no-trunc'),
      all: flag(args, 'all'),
      typed: typed ?? '',
    };
    yield* imagesIn(places, options, context);
    return;
  }
  const now = context.io.clock.now();
  const filter = parseImageFilter(args.positionals[0], values(args, 'filter'), now);
  const format = formatOf(args, context);
  yield* withStores(context, {}, async function* (stores) {
    const { signal, settings, warn, note } = context;
    const store = await stores.openLocal('source');
    const accepts = filter.accepting(await timesOf(filter.others, store, { signal }));
    const found: Found[] = [];
    for (const image of await store.images({ signal })) {
      const summary = await summarizeImage(store.whole, image.root, { signal });
      if (accepts(image, summary)) found.push({ image, summary });
    }
    if (found.length === 0 && args.positionals[0] === 'find')
      note('to find the images that files need, type: regi refs find PATH');
    for (const { image, summary } of found) {
      if (summary.problem !== undefined)
        warn(
          `${image.name ?? image.root.digest} is damaged: ${summary.problem}`,
          `to repair it, type: regi pull ${image.name ?? 'REF'}`,
        );
    }
    const every = found.toSorted(byAge).map(({ image, summary }) => rowOf(image, summary));
    const rows = flag(args, 'all') ? every : withoutArtifacts(every, context);
    if (every.length === 0 && !settings.quiet)
      note('The local store has no such images; to pull one, type: regi pull REF');
    const shown = settings.json ? rows : listed(rows, args, settings.quiet);
    const lines = imageLines(shown, format, {
      ...pageStyle(context),
      whole: flag(args, 'no-trunc'),
      now,
    });
    for (const [index, row] of shown.entries()) yield { ...row, line: lines[index] ?? '' };
  });
}

interface Found {
  readonly image: LocalImage;
  readonly summary: ImageSummary;
}

type Row = Omit<ImageRow, 'line'>;

function rowOf(
  { name, reference, root, pulled }: LocalImage,
  { id, created, size, platform, platforms, artifactType }: ImageSummary,
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
    platforms,
    artifactType,
  };
}

/**
 * Selects rows as docker does: each id once, and digests only of untagged images, unless digests
 * are shown.
 */
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

/** @throws {UsageError} when flags exclude each other. */
function formatOf(args: ParsedArguments, { settings }: Context): ImageFormat {
  const digests = flag(args, 'digests');
  const typed = value(args, 'format');
  if (typed === undefined) return settings.quiet ? { kind: 'id' } : { kind: 'table', digests };
  if (settings.quiet || settings.json) {
    const other = settings.quiet ? '--quiet' : '--json';
    throw new UsageError(`Cannot use --format together with ${other}`, {
      hint: 'drop one of them',
    });
  }
  return parseImageFormat(typed, digests);
}

/** Returns the creation times of the images that filters compare with. */
async function timesOf(
  others: readonly string[],
  store: LocalStore,
  options: CallOptions,
): Promise<ReadonlyMap<string, number | undefined>> {
  const times = new Map<string, number | undefined>();
  for (const text of others) {
    const [{ root }] = (await findLocal(store, text, options)).images;
    times.set(text, timeOf((await summarizeImage(store.whole, root, options)).created));
  }
  return times;
}

/** Sorts the youngest first, as docker does. */
function byAge(a: Found, b: Found): number {
  const [first, second] = [a, b].map(({ summary }) => Date.parse(summary.created ?? '') || 0);
  return (second ?? 0) - (first ?? 0) || compareNames(a.image.name, b.image.name);
}

/**
 * Compares by code units, so that the language of the machine does not matter. Undefined comes
 * last.
 */
function compareNames(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? 1 : -1;
  return a < b ? -1 : 1;
}
