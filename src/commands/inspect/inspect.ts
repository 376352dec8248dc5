import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { assertNever, SeveralImagesError, UsageError } from '../../errors.ts';
import { formatCount, jsonText } from '../../format.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { imageName } from '../../oci/reference.ts';
import { inspectImage } from '../../operations/inspect/inspect-image.ts';
import { parseTemplate } from '../../render/go-template.ts';
import { inspectText, shownReport, type ShownReport } from '../../render/inspect.ts';
import { pageStyle } from '../../render/page-style.ts';
import type { Styled } from '../../styled.ts';
import { holdsImages, isWhole, type ImagesLocation } from '../../targets/location.ts';
import { withStores } from '../../targets/open-store.ts';
import type { Stores } from '../../targets/opened-store.ts';
import { flag, locationArgument, lookup, platformChoice, value } from '../arguments/arguments.ts';
import { imageTable, rowsOf, type ImageRow } from '../local-store/images-in.ts';
import { documentJson, findConfig, findManifest, type Document } from '../low-level/documents.ts';
import { exactBytes } from '../output/write-output.ts';

/** The report of an image under its name. */
export interface NamedReport extends ShownReport {
  /** Without tag and digest. */
  readonly name: string;
  /** In full, as a person would type it. */
  readonly reference: string;
}

export type InspectRow =
  | { readonly kind: 'report'; readonly report: NamedReport }
  /** One of several images of an archive or a layout. */
  | { readonly kind: 'listed'; readonly image: ImageRow }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'document'; readonly document: Document };

/** `regi inspect`: describes an image without reading its layers. */
export const inspectCommand: CommandBody<InspectRow> = {
  run: runInspect,
  text: inspectRowText,
  json: inspectRowJson,
};

async function* runInspect(args: ParsedArguments, context: Context): AsyncIterable<InspectRow> {
  const location = await locationArgument(args, 0, 'an image', context);
  const [raw, config, format] = [flag(args, 'raw'), flag(args, 'config'), value(args, 'format')];
  if ([raw, config, format !== undefined].filter(Boolean).length > 1)
    throw new UsageError('Cannot use --raw, --config and --format together', {
      hint: 'use one of them',
    });
  const isJson = format === 'json';
  const template = format === undefined || isJson ? undefined : parseTemplate(format);
  const choice = platformChoice(args, context);
  const { signal } = context;
  const isPage = !raw && !config && format === undefined && choice.platform === undefined;
  const inspectOne = async function* (stores: Stores): AsyncIterable<InspectRow> {
    const opened = await stores.open(location, 'source', lookup(args));
    if (raw || config) {
      const find = raw ? findManifest : findConfig;
      yield { kind: 'document', document: await find(opened, choice, { signal }) };
      return;
    }
    const { name, tag, pinned: digest, store, isRemote = false } = opened;
    const found = await inspectImage(store, opened.reference, choice, {
      signal,
      // Docker Hub counts every manifest as a pull.
      sizes: !isRemote || flag(args, 'sizes'),
      onDamaged: ({ platform }, error) =>
        context.warn(
          `The image ${platform === undefined ? '' : `of ${formatPlatform(platform)} `}is damaged: ${error.message}`,
        ),
    });
    const reference = imageName(name, { tag, digest });
    const report: NamedReport = { name, reference, ...shownReport(found) };
    if (isJson) yield { kind: 'text', text: `${jsonText(report)}\n` };
    else
      yield template === undefined
        ? { kind: 'report', report }
        : { kind: 'text', text: `${template(templateValue(report))}\n` };
  };
  yield* withStores(context, {}, async function* (stores) {
    try {
      yield* inspectOne(stores);
    } catch (error) {
      // Standard input cannot be read a second time.
      const canList = isPage && holdsImages(location) && isWhole(location) && location.path !== '-';
      if (!canList || !(error instanceof SeveralImagesError)) throw error;
      yield* listImages(location, stores, context);
    }
  });
}

/** Lists the images of a place that has several. */
async function* listImages(
  location: ImagesLocation,
  stores: Stores,
  context: Context,
): AsyncIterable<InspectRow> {
  const typed = `${location.kind}:${location.path}`;
  const rows = await rowsOf(await stores.openImages(location), location, context);
  const format = { kind: 'table', digests: true } as const;
  const options = { format, whole: false, all: false, typed };
  const images = [...imageTable(rows, options, context)];
  for (const image of images) yield { kind: 'listed', image };
  const name = images[0]?.name;
  if (!context.settings.quiet)
    context.note(
      `Found ${formatCount(images.length, 'image')}; to inspect one, type: regi inspect ${typed}:${name ?? 'NAME'}`,
    );
}

/**
 * The report as templates see it. Facts of the image are at the top as well, as in skopeo, and
 * under `config`, as in docker.
 */
function templateValue(report: NamedReport): object {
  return { ...report.image, ...report, config: report.image };
}

function inspectRowText(row: InspectRow, context: Context): Styled | Uint8Array {
  switch (row.kind) {
    case 'report':
      return inspectText(row.report, { ...pageStyle(context), now: context.io.clock.now() });
    case 'listed':
      return row.image.line;
    case 'text':
      return row.text;
    case 'document':
      return exactBytes(row.document.bytes, context);
    default:
      return assertNever(row);
  }
}

function inspectRowJson(row: InspectRow): unknown {
  switch (row.kind) {
    case 'report':
      return row.report;
    case 'listed': {
      const { line: _line, ...image } = row.image;
      return image;
    }
    case 'text':
      return { text: row.text };
    case 'document':
      return documentJson(row.document);
    default:
      return assertNever(row);
  }
}
