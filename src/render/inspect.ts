import { formatAge, formatBytes, formatCount, shortDigest } from '../format.ts';
import type {
  EntryReport,
  ImageReport,
  InspectReport,
} from '../operations/inspect/inspect-image.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { Platform } from '../oci/descriptor.ts';
import { printable } from '../redact.ts';
import { commandOf, layerLines } from './layers.ts';
import type { PageStyle } from './page-style.ts';
import { FIRST_DATE, fit, wrapText } from './text.ts';

export interface InspectTextOptions extends PageStyle {
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A report with its platforms as text: the form of pages, templates and `--json`. */
export type ShownReport = Omit<InspectReport, 'manifests' | 'image'> & {
  readonly manifests: readonly Shown<EntryReport>[];
  readonly image: Shown<ImageReport> | undefined;
};

type Shown<T extends { readonly platform: Platform | undefined }> = Omit<T, 'platform'> & {
  readonly platform: string | undefined;
};

/** Formats the platforms of a report. */
export function shownReport({ manifests, image, ...rest }: InspectReport): ShownReport {
  return { ...rest, manifests: manifests.map(shown), image: image && shown(image) };
}

function shown<T extends { readonly platform: Platform | undefined }>(report: T): Shown<T> {
  return { ...report, platform: report.platform && formatPlatform(report.platform) };
}

/** A label and its values, one per line. */
type Field = readonly [label: string, values: readonly string[]];

/** `  entrypoint  `. */
const LABEL_WIDTH = 14;
/** Labels may contain whole documents; a page shows their first lines. */
const VALUE_LINES = 4;

/** Formats an image as a page for people. Lines fit the style, and control characters are escaped. */
export function inspectText(
  { reference, ...report }: ShownReport & { readonly reference: string },
  options: InspectTextOptions,
): string {
  const { image } = report;
  const isIndex = image?.digest !== report.digest;
  const width = options.isPiped === true ? Number.POSITIVE_INFINITY : options.columns - 1;
  return [
    [...wrap(reference, width), ...wrap(report.digest, width), ...wrap(report.mediaType, width)],
    isIndex ? fieldLines(annotationFields(report.annotations), options) : [],
    isIndex ? indexLines(report.manifests, options) : [],
    image === undefined ? [] : imageLines(image, isIndex, options),
    image === undefined ? [] : blobLines(image, options),
  ]
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

function indexLines(
  manifests: ShownReport['manifests'],
  style: InspectTextOptions,
): readonly string[] {
  const attestations = manifests.filter(({ attests }) => attests !== undefined);
  const images = manifests.filter(({ attests }) => attests === undefined);
  const names = images.map(({ platform, artifactType, mediaType }) =>
    printable(platform ?? artifactType ?? mediaType, 60),
  );
  const width = Math.max(0, ...names.map((name) => name.length));
  const isWide = images.every(({ digest }) => 4 + width + digest.length < style.columns);
  const lines = images.map(
    ({ digest }, index) =>
      `  ${(names[index] ?? '').padEnd(width)}  ${isWide ? digest : shortDigest(digest)}`,
  );
  return [
    'Platforms',
    ...lines.map((line) => fit(line, style.columns - 1, style)),
    ...(attestations.length > 0
      ? [`  and ${formatCount(attestations.length, 'attestation')}`]
      : []),
  ];
}

function imageLines(
  image: Shown<ImageReport>,
  isChild: boolean,
  options: InspectTextOptions,
): readonly string[] {
  const { base } = image;
  const fields: readonly Field[] = [
    ['platform', optional(isChild ? undefined : image.platform)],
    ['artifact', optional(image.artifactType)],
    ['refers to', optional(image.subject)],
    ['created', image.created === undefined ? [] : [createdText(image.created, options.now)]],
    ['author', optional(image.author)],
    [
      'size',
      [
        `${formatBytes(image.compressedSize)} in ${formatCount(image.layers.length, image.artifactType === undefined ? 'layer' : 'blob')}`,
      ],
    ],
    ['base', [base?.name, base?.digest].flatMap((part) => (part ? [part] : []))],
    ['user', optional(image.user)],
    ['workdir', optional(image.workingDir)],
    ['entrypoint', wordsText(image.entrypoint)],
    ['cmd', wordsText(image.cmd)],
    ['ports', image.exposedPorts],
    ['volumes', image.volumes],
    ['signal', optional(image.stopSignal)],
    ['env', image.env],
    ['labels', Object.entries(image.labels).map(([name, label]) => `${name}=${label}`)],
    ...annotationFields(image.annotations),
  ];
  const digest =
    options.isPiped === true
      ? [`  ${image.digest}`]
      : wrap(image.digest, options.columns - 3).map((line) => `  ${line}`);
  const title = isChild ? [`Image of ${printable(image.platform ?? image.digest)}`, ...digest] : [];
  return [...title, ...fieldLines(fields, options)];
}

function blobLines(image: Shown<ImageReport>, style: InspectTextOptions): readonly string[] {
  if (image.layers.length === 0) return [];
  const isArtifact = image.artifactType !== undefined;
  const lines = image.layers.map(({ digest, size, createdBy, comment, annotations, mediaType }) => {
    const title = annotations['org.opencontainers.image.title'];
    return {
      digest,
      size,
      what: isArtifact ? printable(title ?? mediaType) : commandOf(createdBy ?? comment ?? ''),
    };
  });
  return [isArtifact ? 'Blobs' : 'Layers', ...layerLines(lines, style)];
}

/** `2024-01-31 12:00 UTC, 3 months ago`. */
function createdText(created: string, now: number): string {
  const time = Date.parse(created);
  if (Number.isNaN(time)) return created;
  const date = `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return time < FIRST_DATE || time > now ? date : `${date}, ${formatAge(now - time)} ago`;
}

function annotationFields(annotations: Readonly<Record<string, string>>): readonly Field[] {
  // The base image has a line of its own.
  const shown = Object.entries(annotations).filter(
    ([name]) => !name.startsWith('org.opencontainers.image.base.'),
  );
  return [['annotations', shown.map(([name, text]) => `${name}=${text}`)]];
}

function fieldLines(fields: readonly Field[], style: InspectTextOptions): readonly string[] {
  return fields.flatMap(([label, values]) => {
    const width = Math.max(style.columns - 1 - LABEL_WIDTH, 8);
    const lines = values.flatMap((text) => shortened(wrap(text, width), width, style));
    return lines.map(
      (line, index) => `${(index === 0 ? `  ${label} ` : '').padEnd(LABEL_WIDTH)}${line}`,
    );
  });
}

function shortened(lines: readonly string[], width: number, style: PageStyle): readonly string[] {
  if (lines.length <= VALUE_LINES) return lines;
  return [
    ...lines.slice(0, VALUE_LINES - 1),
    fit(lines.slice(VALUE_LINES - 1).join(''), width, style),
  ];
}

/** Escapes a text before measuring and wrapping it. */
function wrap(text: string, width: number): readonly string[] {
  return wrapText(printable(text), width);
}

function wordsText(words: readonly string[]): readonly string[] {
  return words.length === 0 ? [] : [`[${words.map((word) => JSON.stringify(word)).join(', ')}]`];
}

function optional(value: string | undefined): readonly string[] {
  return value === undefined ? [] : [value];
}
