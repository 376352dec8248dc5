import { formatAge, formatBytes, formatCount, shortDigest } from '../format.ts';
import type {
  EntryReport,
  ImageReport,
  InspectReport,
} from '../operations/inspect/inspect-image.ts';
import { formatPlatform } from '../oci/platform.ts';
import type { Platform } from '../oci/descriptor.ts';
import { printable } from '../redact.ts';
import { joined, linesText, styled, type Styled } from '../styled.ts';
import { commandOf, layerLines } from './layers.ts';
import { roomOf, type PageStyle } from './page-style.ts';
import { DIGEST, tableLines, type Column } from './table.ts';
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
const INDENT = '  ';
/** Of a media type in place of a platform. Characters. */
const LONGEST_NAME = 60;
/** Labels may contain whole documents; a page shows their first lines. */
const VALUE_LINES = 4;

/**
 * Formats an image as a page for people. Lines fit the style, and control characters are escaped.
 */
export function inspectText(
  { reference, ...report }: ShownReport & { readonly reference: string },
  options: InspectTextOptions,
): Styled {
  const { image } = report;
  const isIndex = image?.digest !== report.digest;
  const room = roomOf(options);
  const blocks = [
    [
      ...wrap(shortenedDigests(reference, room), room).map((line) => styled('name', line)),
      styled('detail', shortenedDigests(report.digest, room)),
      styled('detail', fit(printable(report.mediaType), room, options)),
    ],
    isIndex ? fieldLines(annotationFields(report.annotations), options) : [],
    isIndex ? indexLines(report.manifests, options) : [],
    image === undefined ? [] : imageLines(image, isIndex, options),
    image === undefined ? [] : blobLines(image, options),
  ];
  return joined(
    blocks.filter((lines) => lines.length > 0).map((lines) => linesText(lines)),
    '\n',
  );
}

function indexLines(
  manifests: ShownReport['manifests'],
  style: InspectTextOptions,
): readonly Styled[] {
  const attestations = manifests.filter(({ attests }) => attests !== undefined);
  const images = manifests.filter(({ attests }) => attests === undefined);
  const hasSizes = images.some(({ compressedSize }) => compressedSize !== undefined);
  const rows = images.map(({ platform, artifactType, mediaType, digest, compressedSize }) => [
    (platform ?? artifactType ?? mediaType).slice(0, LONGEST_NAME),
    digest,
    ...(hasSizes ? [compressedSize === undefined ? '-' : formatBytes(compressedSize)] : []),
  ]);
  const columns: readonly Column[] = [
    { role: 'name' },
    { role: 'detail', isDigest: true },
    ...(hasSizes ? [{ role: 'detail', align: 'right' } as const] : []),
  ];
  const inner = { ...style, columns: style.columns - INDENT.length };
  const lines = tableLines(columns, rows, inner);
  return [
    styled('heading', 'Platforms'),
    ...lines.map((line) => [INDENT, line]),
    ...(attestations.length > 0
      ? [`${INDENT}and ${formatCount(attestations.length, 'attestation')}`]
      : []),
  ];
}

function imageLines(
  image: Shown<ImageReport>,
  isChild: boolean,
  options: InspectTextOptions,
): readonly Styled[] {
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
  const title = isChild
    ? [
        styled('heading', `Image of ${image.platform ?? image.digest}`),
        [INDENT, styled('detail', shortenedDigests(image.digest, roomOf(options) - INDENT.length))],
      ]
    : [];
  return [...title, ...fieldLines(fields, options)];
}

function blobLines(image: Shown<ImageReport>, style: InspectTextOptions): readonly Styled[] {
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
  return [styled('heading', isArtifact ? 'Blobs' : 'Layers'), ...layerLines(lines, style)];
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

function fieldLines(fields: readonly Field[], style: InspectTextOptions): readonly Styled[] {
  return fields.flatMap(([label, values]) => {
    const width = Math.max(roomOf(style) - LABEL_WIDTH, 8);
    const lines = values.flatMap((text) =>
      shortened(wrap(shortenedDigests(text, width), width), width, style),
    );
    return lines.map((line, index): Styled => {
      const left = (index === 0 ? `  ${label} ` : '').padEnd(LABEL_WIDTH);
      return [styled('detail', left), line];
    });
  });
}

/** Shortens digests in a text that is wider than its room: half a digest is of no use. */
function shortenedDigests(text: string, room: number): string {
  return text.length <= room ? text : text.replace(DIGEST, (digest) => shortDigest(digest));
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
