import { partsOf, plainText, styled, type Styled } from '../styled.ts';
import { roomOf, type PageStyle } from './page-style.ts';

/** Earlier dates are placeholders of build tools. */
export const FIRST_DATE = Date.UTC(1990, 0, 1);

/** Characters that a terminal draws two columns wide: East Asian scripts and emoji. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|^\p{Emoji_Presentation}|\ufe0f/u;

/** Longest part of a value that a page shows. Characters. */
const LONGEST = 16 * 1024;

/**
 * Wraps a text to lines of at most `width` columns, after a space near the end, else between
 * graphemes. Returns at least one line.
 */
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

/**
 * Wraps a line at the width of a terminal, as `wrapText()` does. Its parts keep their roles. In a
 * pipe it stays whole.
 */
export function wrapLine(line: Styled, style: PageStyle): readonly Styled[] {
  const room = roomOf(style);
  const text = plainText(line);
  if (columnsOf(text) <= room) return [line];
  const parts = partsOf(line);
  const ends = parts.map((_, at) => plainText(parts.slice(0, at + 1)).length);
  let from = 0;
  return wrapText(text, room).map((shown) => {
    // Spaces at the end of a line are not shown.
    const begin = text.indexOf(shown, from);
    from = begin + shown.length;
    return parts.flatMap((part, at): readonly Styled[] => {
      const start = (ends[at] ?? 0) - plainText(part).length;
      const own = plainText(part).slice(Math.max(begin - start, 0), Math.max(from - start, 0));
      if (own === '') return [];
      return [typeof part === 'string' ? own : styled(part.role, own)];
    });
  });
}

/** Cuts a text to at most `width` columns; an ellipsis ends a longer one. */
export function fit(text: string, width: number, { unicode }: PageStyle): string {
  const mark = unicode ? '…' : '...';
  const kept = cut(text, width);
  return kept === text ? text : `${cut(text, width - mark.length)}${mark}`;
}

/** Cuts a line as `fit()` does. Its parts keep their roles. */
export function fitLine(line: Styled, width: number, style: PageStyle): Styled {
  if (columnsOf(plainText(line)) <= width) return line;
  const mark = style.unicode ? '…' : '...';
  const kept: Styled[] = [];
  let room = width - mark.length;
  for (const part of partsOf(line)) {
    const text = plainText(part);
    const shown = cut(text, room);
    kept.push(typeof part === 'string' ? shown : styled(part.role, shown));
    if (shown !== text) break;
    room -= columnsOf(text);
  }
  return [...kept, mark];
}

/** Cuts the start of a line: the ends of names of images tell them apart. */
export function fitLineEnd(line: Styled, width: number, { unicode }: PageStyle): Styled {
  const text = plainText(line);
  if (columnsOf(text) <= width) return line;
  const mark = unicode ? '…' : '...';
  const graphemes = [...segmenter().segment(text.slice(-LONGEST))].map(({ segment }) => segment);
  let [kept, room] = ['', width - mark.length];
  for (const segment of graphemes.toReversed()) {
    room -= WIDE.test(segment) ? 2 : 1;
    if (room < 0) break;
    kept = segment + kept;
  }
  const [first = ''] = partsOf(line);
  return typeof first === 'string' ? `${mark}${kept}` : styled(first.role, `${mark}${kept}`);
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

/** Counts the columns that a text takes on a terminal. */
export function columnsOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
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
