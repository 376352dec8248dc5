import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { assertNever, UsageError } from '../../errors.ts';
import { jsonText } from '../../format.ts';
import { imageName } from '../../oci/reference.ts';
import { inspectImage } from '../../operations/inspect/inspect-image.ts';
import { parseTemplate } from '../../render/go-template.ts';
import { inspectText, shownReport, type ShownReport } from '../../render/inspect.ts';
import { pageStyle } from '../../render/page-style.ts';
import type { Styled } from '../../styled.ts';
import { withStores } from '../../targets/open-store.ts';
import { flag, locationArgument, lookup, platformChoice, value } from '../arguments/arguments.ts';
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
  yield* withStores(context, {}, async function* (stores) {
    const opened = await stores.open(location, 'source', lookup(args));
    if (raw || config) {
      const find = raw ? findManifest : findConfig;
      yield { kind: 'document', document: await find(opened, choice, { signal }) };
      return;
    }
    const { name, tag, pinned: digest, store } = opened;
    const found = await inspectImage(store, opened.reference, choice, { signal });
    const reference = imageName(name, { tag, digest });
    const report: NamedReport = { name, reference, ...shownReport(found) };
    if (isJson) yield { kind: 'text', text: `${jsonText(report)}\n` };
    else
      yield template === undefined
        ? { kind: 'report', report }
        : { kind: 'text', text: `${template(templateValue(report))}\n` };
  });
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
    case 'text':
      return { text: row.text };
    case 'document':
      return documentJson(row.document);
    default:
      return assertNever(row);
  }
}
