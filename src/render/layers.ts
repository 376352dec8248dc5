import { formatBytes, shortDigest } from '../format.ts';
import { printable } from '../redact.ts';
import { fitText } from './text.ts';

/** How text is laid out. */
export interface PageStyle {
  /** Of the terminal; its last column stays free. */
  readonly columns: number;
  /** Whether the reader shows more than ASCII. */
  readonly unicode: boolean;
}

/** A layer, or any other blob, as a line shows it. */
export interface LayerLine {
  readonly digest: string | undefined;
  /** Bytes. */
  readonly size: number;
  /** What made it, or what it is. */
  readonly what: string;
}

const SIZE_WIDTH = 10;
const GAP = '  ';
/** `sha256:` and twelve digits. */
const DIGEST_WIDTH = 19;
/** Eighths of a cell, from the first on. */
const EIGHTHS = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A line for each layer: its size, a bar that is as long as the layer is large beside the largest, and what made it. */
export function layerLines(layers: readonly LayerLine[], style: PageStyle): readonly string[] {
  const largest = layers.reduce((most, { size }) => Math.max(most, size), 0);
  return layers.map((layer) => layerLine(layer, largest, style));
}

function layerLine({ digest, size, what }: LayerLine, largest: number, style: PageStyle): string {
  const { columns } = style;
  const barWidth = columns >= 100 ? 20 : columns >= 60 ? 12 : 6;
  const parts = [formatBytes(size).padStart(SIZE_WIDTH), bar(size, largest, barWidth, style)];
  if (columns >= 100) parts.push(shortDigest(digest ?? '').padEnd(DIGEST_WIDTH));
  const left = parts.join(GAP) + GAP;
  return `${left}${fit(what, columns - 1 - left.length, style)}`.trimEnd();
}

function bar(size: number, largest: number, width: number, { unicode }: PageStyle): string {
  const cells = largest === 0 ? 0 : (size / largest) * width;
  if (!unicode) return '#'.repeat(size === 0 ? 0 : Math.max(Math.round(cells), 1)).padEnd(width);
  const whole = Math.floor(cells);
  // A layer that has anything in it is never drawn as nothing.
  const eighths = Math.max(Math.round((cells - whole) * 8), size > 0 && whole === 0 ? 1 : 0);
  const end = eighths === 8 ? '█' : (EIGHTHS[eighths - 1] ?? '');
  return `${'█'.repeat(whole)}${end}`.padEnd(width);
}

/** The text in one line of at most `width` columns. */
export function fit(text: string, width: number, { unicode }: PageStyle): string {
  return fitText(text, width, unicode ? '…' : '...');
}

/**
 * The command that made a layer as a Dockerfile has it: without the shell that docker writes before it and buildkit's mark behind,
 * in one line.
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
