import { assertNever } from '../errors.ts';
import { formatAge, formatBytes, jsonText } from '../format.ts';
import { encodedOf, type Digest } from '../oci/digest.ts';
import { parseTemplate, type Template } from './go-template.ts';
import { linesText, type Styled } from '../styled.ts';
import type { PageStyle } from './page-style.ts';
import { tableLines, type Column } from './table.ts';
import { FIRST_DATE } from './text.ts';

/** An image in a list. */
export interface ListedImage {
  readonly repository: string | undefined;
  readonly tag: string | undefined;
  readonly digest: string;
  readonly id: Digest;
  readonly created: string | undefined;
  /** Bytes. */
  readonly size: number;
  readonly platforms: readonly string[];
  /** How many signatures, SBOMs and other referrers it has; undefined where they are not counted. */
  readonly referrers?: number | undefined;
  /** What it is, if it is no image. */
  readonly artifactType: string | undefined;
}

/**
 * Output format of `regi images`: only ids, docker's table, JSON, a template per line, or a table
 * of a template.
 */
export type ImageFormat =
  | { readonly kind: 'id' }
  | { readonly kind: 'table'; readonly digests: boolean }
  | { readonly kind: 'json' }
  | { readonly kind: 'lines' | 'columns'; readonly template: Template };

/** Docker's template fields and their column heads. */
const HEADS = {
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  ID: 'IMAGE ID',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
} as const;

/**
 * Parses `--format` as docker does: `table`, `json`, a template, or `table` and a template with
 * columns separated by `\t`.
 *
 * @throws {UsageError} on an invalid template.
 */
export function parseImageFormat(text: string, digests: boolean): ImageFormat {
  if (text === 'table') return { kind: 'table', digests };
  if (text === 'json') return { kind: 'json' };
  const columns = /^table\s+(?<template>.+)$/s.exec(text)?.groups?.['template'];
  return columns === undefined
    ? { kind: 'lines', template: parseTemplate(text) }
    : { kind: 'columns', template: parseTemplate(columns) };
}

export interface LineOptions extends PageStyle {
  /** True to show full ids. */
  readonly whole: boolean;
  /** True to show platforms and referrers in the table, which docker's has not. */
  readonly contents?: boolean | undefined;
  /** Milliseconds. */
  readonly now: number;
}

/** Returns the text of each image. The head of a table precedes the first. */
export function imageLines(
  images: readonly ListedImage[],
  format: ImageFormat,
  options: LineOptions,
): readonly Styled[] {
  const views = images.map((image) => viewOf(image, options));
  switch (format.kind) {
    case 'id':
      return views.map(({ ID }) => `${ID}\n`);
    case 'json':
      return views.map((view) => `${jsonText(view)}\n`);
    case 'lines':
      return views.map((view) => `${format.template(view)}\n`);
    case 'columns':
      return templateTable(format.template, views, options);
    case 'table': {
      const columns = [
        ...DOCKERS_COLUMNS.filter(({ title }) => title !== HEADS.Digest || format.digests),
        ...(options.contents === true ? [PLATFORMS] : []),
        ...(images.some(({ referrers = 0 }) => referrers > 0) ? [REFERRERS] : []),
        ...(images.some(({ artifactType }) => artifactType !== undefined) ? [TYPE] : []),
      ];
      const cells = images.map((image, at) =>
        columns.map(({ cell }) => cell(views[at] ?? viewOf(image, options), image)),
      );
      return withHead(tableLines(columns, cells, options));
    }
    default:
      return assertNever(format);
  }
}

type View = Readonly<Record<keyof typeof HEADS, string>>;

function viewOf(
  { repository, tag, digest, id, created, size }: ListedImage,
  { whole, now }: LineOptions,
): View {
  return {
    Repository: repository ?? '<none>',
    Tag: tag ?? '<none>',
    Digest: digest,
    ID: whole ? id : encodedOf(id).slice(0, 12),
    CreatedSince: ageOf(created, now),
    CreatedAt: created ?? 'N/A',
    Size: formatBytes(size),
  };
}

type ImageColumn = Column & { readonly cell: (view: View, image: ListedImage) => string };

const DOCKERS_COLUMNS: readonly ImageColumn[] = [
  { title: HEADS.Repository, role: 'name', keepsEnd: true, cell: ({ Repository }) => Repository },
  { title: HEADS.Tag, cell: ({ Tag }) => Tag },
  { title: HEADS.Digest, role: 'detail', isDigest: true, rank: 5, cell: ({ Digest: it }) => it },
  { title: HEADS.ID, role: 'detail', isDigest: true, rank: 3, cell: ({ ID }) => ID },
  { title: HEADS.CreatedSince, rank: 4, cell: ({ CreatedSince }) => CreatedSince },
  { title: HEADS.Size, role: 'detail', cell: ({ Size }) => Size },
];
const PLATFORMS: ImageColumn = {
  title: 'PLATFORMS',
  rank: 1,
  cell: (_view, { platforms }) => platforms.join(' '),
};
const REFERRERS: ImageColumn = {
  title: 'REFERRERS',
  rank: 2,
  cell: (_view, { referrers = 0 }) => (referrers > 0 ? String(referrers) : ''),
};
const TYPE: ImageColumn = {
  title: 'TYPE',
  cell: (_view, { artifactType = 'image' }) => artifactType,
};

/** A table of a template shows what the template says, however wide. */
function templateTable(
  template: Template,
  views: readonly View[],
  style: PageStyle,
): readonly Styled[] {
  const [heads = [], ...cells] = [HEADS, ...views].map((view) => template(view).split('\t'));
  const count = Math.max(heads.length, ...cells.map(({ length }) => length));
  const columns = Array.from({ length: count }, (_, at) => ({ title: heads[at] ?? '' }));
  return withHead(tableLines(columns, cells, { ...style, isPiped: true }));
}

function withHead([head = '', ...lines]: readonly Styled[]): readonly Styled[] {
  return lines.map((line, index) => linesText(index === 0 ? [head, line] : [line]));
}

/** Formats how long ago an image was made; `N/A` where nothing says it. */
export function ageOf(created: string | undefined, now: number): string {
  const time = Date.parse(created ?? '');
  if (Number.isNaN(time) || time < FIRST_DATE) return 'N/A';
  return time > now ? 'just now' : `${formatAge(now - time)} ago`;
}
