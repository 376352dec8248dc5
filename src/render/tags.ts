import { formatBytes } from '../format.ts';
import { linesText, type Styled } from '../styled.ts';
import { ageOf } from './images.ts';
import type { PageStyle } from './page-style.ts';
import { tableLines, type Column } from './table.ts';

/** A tag and its image, as far as it could be read. */
export interface ListedTag {
  readonly tag: string;
  readonly digest?: string | undefined;
  readonly created?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
  readonly platforms?: readonly string[] | undefined;
}

const COLUMNS: readonly Column[] = [
  { title: 'TAG', role: 'name' },
  { title: 'DIGEST', role: 'detail', isDigest: true },
  { title: 'CREATED', rank: 2 },
  { title: 'SIZE', role: 'detail', align: 'right', rank: 1 },
  { title: 'PLATFORMS', rank: 3 },
];

/** Formats the line of each tag; that of the first begins with the heading. */
export function tagTable(
  tags: readonly ListedTag[],
  style: PageStyle & { readonly now: number },
): readonly Styled[] {
  const rows = tags.map(({ tag, digest = '-', created, size, platforms = [] }) => [
    tag,
    digest,
    ageOf(created, style.now),
    size === undefined ? '-' : formatBytes(size),
    platforms.join(' '),
  ]);
  const [head = '', ...lines] = tableLines(COLUMNS, rows, style);
  return lines.map((line, at) => linesText(at === 0 ? [head, line] : [line]));
}
