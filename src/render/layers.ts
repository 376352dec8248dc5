import { formatBytes, shortDigest } from '../format.ts';
import { printable } from '../redact.ts';
import { joined, plainText, styled, type Styled } from '../styled.ts';
import { roomOf, type PageStyle } from './page-style.ts';
import { fitLine } from './text.ts';

/** The line of a layer or other blob. */
export interface LayerLine {
  readonly digest: string | undefined;
  /** Bytes. */
  readonly size: number;
  /** The command that made it, or its title. */
  readonly what: string;
  /** The day on which it was made: `2026-01-31`. Undefined in lists without dates. */
  readonly day?: string | undefined;
}

const SIZE_WIDTH = 10;
const GAP = '  ';
/** `2026-01-31`. */
const DAY_WIDTH = 10;
/** `sha256:` and twelve digits. */
const DIGEST_WIDTH = 19;
/** `sha256:` and 64 digits. */
const WHOLE_DIGEST_WIDTH = 71;
/** One to seven eighths of a cell. */
const EIGHTHS = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/**
 * Formats a line per layer: its size, a bar relative to the largest layer, its digest where there
 * is room, and the command that made it.
 */
export function layerLines(layers: readonly LayerLine[], style: PageStyle): readonly Styled[] {
  const largest = layers.reduce((most, { size }) => Math.max(most, size), 0);
  return layers.map((layer) => layerLine(layer, largest, style));
}

function layerLine(
  { digest = '', size, what, day }: LayerLine,
  largest: number,
  style: PageStyle,
): Styled {
  const { columns, isPiped } = style;
  const barWidth = columns >= 100 ? 20 : columns >= 60 ? 12 : 6;
  const left = [
    styled('detail', formatBytes(size).padStart(SIZE_WIDTH)),
    bar(size, largest, barWidth, style),
    ...(day === undefined || columns < 60 ? [] : [styled('detail', day.padEnd(DAY_WIDTH))]),
    ...(isPiped === true ? [digest] : columns >= 100 ? [shortDigest(digest)] : []).map((shown) =>
      styled('detail', shown.padEnd(isPiped === true ? WHOLE_DIGEST_WIDTH : DIGEST_WIDTH)),
    ),
  ];
  const line = joined([...left, what], GAP);
  return what === '' ? plainText(line).trimEnd() : fitLine(line, roomOf(style), style);
}

function bar(size: number, largest: number, width: number, { unicode }: PageStyle): string {
  const cells = largest === 0 ? 0 : (size / largest) * width;
  if (!unicode) return '#'.repeat(size === 0 ? 0 : Math.max(Math.round(cells), 1)).padEnd(width);
  const whole = Math.floor(cells);
  // Only an empty layer has no bar.
  const eighths = Math.max(Math.round((cells - whole) * 8), size > 0 && whole === 0 ? 1 : 0);
  const end = eighths === 8 ? '█' : (EIGHTHS[eighths - 1] ?? '');
  return `${'█'.repeat(whole)}${end}`.padEnd(width);
}

/**
 * Formats the command of a layer as in a Dockerfile, on one line: without docker's shell prefix and
 * buildkit's mark.
 */
export function commandOf(createdBy: string): string {
  const plain = createdBy
    .replace(/\s*# buildkit\s*$/, '')
    .replace(/^(?:RUN )?\|\d+ .*?(?=\/bin\/sh -c )/s, '')
    .replace(/^\/bin\/sh -c #\(nop\)\s+/, '')
    .replace(/^(?:RUN )?\/bin\/sh -c /, 'RUN ');
  return printable(
    plain
      .replace(/\\\s*\n/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  );
}
