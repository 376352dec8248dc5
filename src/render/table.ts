import { shortDigest } from '../format.ts';
import { printable } from '../redact.ts';
import { mapText, partsOf, plainText, styled, type Role, type Styled } from '../styled.ts';
import { roomOf, type PageStyle } from './page-style.ts';
import { columnsOf, fitLine, fitLineEnd } from './text.ts';

/** A column of a table. */
export interface Column {
  /** Its heading; absent in all columns of a table without headings. */
  readonly title?: string | undefined;
  /** Role of cells that have none of their own. */
  readonly role?: Role | undefined;
  readonly align?: 'right' | undefined;
  /** True for digests: on a narrow terminal they are shortened before anything else. */
  readonly isDigest?: boolean | undefined;
  /** True for names of images: if they are cut, their end is kept, which tells them apart. */
  readonly keepsEnd?: boolean | undefined;
  /**
   * On a narrow terminal, the column with the highest number is dropped first. Columns without a
   * number stay.
   */
  readonly rank?: number | undefined;
}

interface FilledColumn extends Column {
  /** The heading, if the table has headings, and the cell of each row. */
  readonly cells: readonly Styled[];
  readonly width: number;
}

const GAP = '   ';
/** Cells in a narrower column could not be told apart. */
const MIN_WIDTH = 8;

/**
 * Aligns rows, and escapes their cells. In a pipe every cell is whole. On a terminal no line is too
 * wide: digests are shortened, then columns with a rank are dropped, then the widest columns are
 * cut.
 *
 * @returns the line of headings, if there are any, and a line for each row.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Styled[])[],
  style: PageStyle,
): readonly Styled[] {
  const hasHead = columns.some(({ title }) => title !== undefined);
  const room = roomOf(style);
  let shown: readonly FilledColumn[] = columns.map((column, at) => {
    const cells = rows.map((row) => cellOf(row[at] ?? '', column));
    return filled(column, hasHead ? [styled('heading', column.title ?? ''), ...cells] : cells);
  });
  if (widthOf(shown) > room) shown = shown.map(withShortDigests);
  while (widthOf(shown) > room) {
    const rank = Math.max(...shown.map((column) => column.rank ?? 0));
    if (rank === 0) break;
    shown = shown.filter((column) => column.rank !== rank);
  }
  if (widthOf(shown) > room) shown = shown.map(withBareDigests);
  shown = narrowed(shown, room);
  const count = rows.length + (hasHead ? 1 : 0);
  return Array.from({ length: count }, (_, at) => fitLine(lineOf(shown, at, style), room, style));
}

function cellOf(cell: Styled, { role }: Column): Styled {
  const safe = mapText(cell, (text) => printable(text));
  return role !== undefined && typeof safe === 'string' ? styled(role, safe) : safe;
}

function filled(column: Column, cells: readonly Styled[]): FilledColumn {
  const width = cells.reduce<number>((most, cell) => Math.max(most, columnsOf(plainText(cell))), 0);
  return { ...column, cells, width };
}

function widthOf(columns: readonly FilledColumn[]): number {
  return columns.reduce((sum, { width }) => sum + width, GAP.length * (columns.length - 1));
}

/** Matches digests, alone or behind a name. */
export const DIGEST = /\b[a-z0-9]+:[0-9a-f]{64,}\b/g;

function withShortDigests(column: FilledColumn): FilledColumn {
  if (column.isDigest !== true) return column;
  const cells = column.cells.map((cell) =>
    mapText(cell, (text) => text.replace(DIGEST, (digest) => shortDigest(digest))),
  );
  return filled(column, cells);
}

/** Omits the algorithm of shortened digests, as docker does in its ids. */
function withBareDigests(column: FilledColumn): FilledColumn {
  if (column.isDigest !== true) return column;
  const cells = column.cells.map((cell) =>
    mapText(cell, (text) => text.replace(/^[a-z0-9]+:(?=[0-9a-f]{12}$)/, '')),
  );
  return filled(column, cells);
}

/** Narrows the widest columns until the table has room. A cut digest would be of no use. */
function narrowed(columns: readonly FilledColumn[], room: number): readonly FilledColumn[] {
  const widths = columns.map(({ width }) => width);
  const canNarrow = columns.map(({ cells }) => !cells.some((cell) => BARE.test(plainText(cell))));
  for (let excess = widthOf(columns) - room; excess > 0; excess -= 1) {
    const open = widths.map((width, at) => (canNarrow[at] === true ? width : 0));
    const widest = Math.max(...open);
    if (widest <= MIN_WIDTH) break;
    widths[open.lastIndexOf(widest)] = widest - 1;
  }
  return columns.map((column, at) => ({ ...column, width: widths[at] ?? column.width }));
}

/** Matches a shortened digest that has its cell for itself. */
const BARE = /^(?:[a-z0-9]+:)?[0-9a-f]{12}$/;

function lineOf(columns: readonly FilledColumn[], row: number, style: PageStyle): Styled {
  const parts = columns.flatMap(({ cells, width, align, keepsEnd }, at): readonly Styled[] => {
    const fitCell = keepsEnd === true ? fitLineEnd : fitLine;
    const cell = fitCell(cells[row] ?? '', width, style);
    const blank = ' '.repeat(width - columnsOf(plainText(cell)));
    const gap = at === 0 ? '' : GAP;
    return align === 'right' ? [gap, blank, cell] : [gap, cell, blank];
  });
  return withoutBlankEnd(parts.flatMap(partsOf));
}

function withoutBlankEnd(parts: readonly Styled[]): Styled {
  const last = parts.findLastIndex((part) => plainText(part).trim() !== '');
  return parts.slice(0, last + 1).filter((part) => plainText(part) !== '');
}
