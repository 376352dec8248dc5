import type { CommandBody, ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import { assertNever, UsageError } from '../../errors.ts';
import { parsePlatform } from '../../oci/platform.ts';
import { inspectImage, type InspectReport } from '../../operations/inspect/inspect-image.ts';
import { readManifest } from '../../operations/copy/read-manifest.ts';
import { resolveImage } from '../../operations/copy/resolve-image.ts';
import { flag, positional, value } from '../arguments/arguments.ts';
import { configJson, findConfig, type ConfigAnswer } from '../low-level/config.ts';
import { exactBytes } from '../output/write-output.ts';
import { parseTemplate } from '../../render/go-template.ts';
import { inspectText } from '../../render/inspect.ts';
import { manifestJson, type ManifestAnswer } from '../low-level/manifest-get.ts';
import { parseLocation } from '../../targets/location.ts';
import { withStores, type OpenedStore } from '../../targets/open-store.ts';
import { pageStyle } from '../../render/page-style.ts';

/** What a name points at, under its name. */
export interface NamedReport extends InspectReport {
  /** Without tag and digest. */
  readonly name: string;
  /** In full, as a person would type it. */
  readonly reference: string;
}

export type InspectRow =
  | { readonly kind: 'report'; readonly report: NamedReport }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'manifest'; readonly manifest: ManifestAnswer }
  | { readonly kind: 'config'; readonly config: ConfigAnswer };

/** `regi inspect`: what an image is, without its layers' bytes. */
export const inspectCommand: CommandBody<InspectRow> = {
  run: runInspect,
  text: inspectRowText,
  json: inspectRowJson,
};

async function* runInspect(args: ParsedArguments, context: Context): AsyncIterable<InspectRow> {
  const location = parseLocation(positional(args, 0, 'an image'));
  const form = formOf(args);
  const typed = value(args, 'platform');
  const { signal, io } = context;
  const platform = typed === undefined ? undefined : parsePlatform(typed, io.host);
  yield* withStores(context, {}, async function* (stores) {
    const opened = await stores.open(location, 'source');
    const { store, reference } = opened;
    switch (form.kind) {
      case 'raw': {
        const { descriptor, bytes } = await readManifest(
          store,
          await resolveImage(store, reference, platform, { signal }),
          { signal },
        );
        yield {
          kind: 'manifest',
          manifest: {
            digest: descriptor.digest,
            mediaType: descriptor.mediaType,
            size: descriptor.size,
            bytes,
          },
        };
        return;
      }
      case 'config':
        yield {
          kind: 'config',
          config: await findConfig(store, reference, { platform, host: io.host }, { signal }),
        };
        return;
      case 'format':
      case 'page': {
        const found = await inspectImage(store, reference, { platform, host: io.host }, { signal });
        const report: NamedReport = { name: opened.name, reference: fullName(opened), ...found };
        yield form.kind === 'page'
          ? { kind: 'report', report }
          : { kind: 'text', text: `${form.template(templateValue(report))}\n` };
        return;
      }
      default:
        assertNever(form);
    }
  });
}

type Form =
  | { readonly kind: 'page' }
  | { readonly kind: 'raw' }
  | { readonly kind: 'config' }
  | { readonly kind: 'format'; readonly template: (value: object) => string };

function formOf(args: ParsedArguments): Form {
  const format = value(args, 'format');
  const [raw, config] = [flag(args, 'raw'), flag(args, 'config')];
  if ([raw, config, format !== undefined].filter(Boolean).length > 1) {
    throw new UsageError('Cannot use --raw, --config and --format together', {
      hint: 'ask for one of them',
    });
  }
  if (format !== undefined) return { kind: 'format', template: parseTemplate(format) };
  return { kind: raw ? 'raw' : config ? 'config' : 'page' };
}

/**
 * The report as templates see it: what is of the image stands at the top as well, where skopeo has it, and under `config`, where
 * docker has it.
 */
function templateValue(report: NamedReport): object {
  return { ...report.image, ...report, config: report.image };
}

function inspectRowText(row: InspectRow, context: Context): string | Uint8Array {
  switch (row.kind) {
    case 'report':
      return inspectText(row.report, { ...pageStyle(context), now: context.io.clock.now() });
    case 'text':
      return row.text;
    case 'manifest':
      return exactBytes(row.manifest.bytes, context);
    case 'config':
      return exactBytes(row.config.bytes, context);
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
    case 'manifest':
      return manifestJson(row.manifest);
    case 'config':
      return configJson(row.config);
    default:
      return assertNever(row);
  }
}

function fullName({ name, tag, pinned, defaultTag }: OpenedStore): string {
  const shown = tag ?? (pinned === undefined ? defaultTag : undefined);
  return `${name}${shown === undefined ? '' : `:${shown}`}${pinned === undefined ? '' : `@${pinned}`}`;
}
