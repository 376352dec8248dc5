import type { PageStyle } from './page-style.ts';

/** Earlier dates are placeholders of build tools. */
export const FIRST_DATE = Date.UTC(1990, 0, 1);

/** Characters that a terminal draws two columns wide: East Asian scripts and emoji. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|^\p{Emoji_Presentation}|\ufe0f/u;

/** Longest part of a value that a page shows. Characters. */
const LONGEST = 16 * 1024;

/** Wraps a text to lines of at most `width` columns, after a space near the end, else between graphemes. Returns at least one line. */
export function wrapText(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let [line, used] = ['', 0];
  for (const { segment } of segmenter().segment(text.slice(0, LONGEST))) {
    const columns = WIDE.test(segment) ? 2 : 1;
    if (used + columns > width && line !== '') {
      const blank = line.lastIndexOf(' ') + 1;
      const end = blank > line.length / 2 ? blank : line.length;
      lines.push(line.slice(0, end).trimEnd());
      line = line.slice(end);
      used = columnsOf(line);
    }
    line += segment;
    used += columns;
  }
  return [...lines, line];
}

/** Cuts a text to at most `width` columns; an ellipsis ends a longer one. */
export function fit(text: string, width: number, { unicode }: PageStyle): string {
  const mark = unicode ? '…' : '...';
  const kept = cut(text, width);
  return kept === text ? text : `${cut(text, width - mark.length)}${mark}`;
}

/** Returns the part of the text that fits. */
function cut(text: string, width: number): string {
  let [kept, used] = ['', 0];
  for (const { segment } of segmenter().segment(text.slice(0, LONGEST))) {
    used += WIDE.test(segment) ? 2 : 1;
    if (used > width) break;
    kept += segment;
  }
  return kept;
}

function columnsOf(text: string): number {
  return [...segmenter().segment(text)].reduce(
    (sum, { segment }) => sum + (WIDE.test(segment) ? 2 : 1),
    0,
  );
}

let known: Intl.Segmenter | undefined;

function segmenter(): Intl.Segmenter {
  known ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return known;
}

/** Aligns the columns of rows. The first row is the head. */
export function tableLines(rows: readonly (readonly string[])[]): readonly string[] {
  const columns = Math.max(0, ...rows.map((cells) => cells.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((cells) => cells[column]?.length ?? 0)),
  );
  return rows.map(
    (cells) =>
      `${cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd()}\n`,
  );
}
