import {
  formatBytes,
  formatCount,
  formatRate,
  formatWholeSeconds,
  shortDigest,
} from '../../format.ts';
import { styled, type Styled } from '../../styled.ts';
import type { ActiveTransfer, TransferView } from './transfer-model.ts';

/** People cannot follow more lines than this. */
const MAX_TRANSFERS = 8;
/** The lines for hidden transfers, the total, and the cursor. */
const OTHER_LINES = 3;
const MAX_BAR = 32;
const MIN_BAR = 6;

export interface LineStyle {
  readonly columns: number;
  readonly rows: number;
  /** Whether the terminal shows more than ASCII. */
  readonly unicode: boolean;
}

/**
 * Returns the lines of the live view: one per active transfer, and the total. None is wider than
 * the terminal.
 */
export function transferLines(view: TransferView, style: LineStyle): readonly Styled[] {
  if (view.nodes === 0) return [];
  // An area that scrolls cannot be redrawn.
  const shown = view.active.slice(
    0,
    Math.max(Math.min(MAX_TRANSFERS, style.rows - OTHER_LINES), 0),
  );
  const hidden = view.active.length - shown.length;
  return [
    ...shown.map((transfer) => transferLine(transfer, style)),
    ...(hidden > 0 ? [fit(`  and ${hidden} more`, style.columns)] : []),
    totalLine(view, style),
  ];
}

/**
 * Fits a transfer into the columns. On narrow terminals bytes, speed and bar are dropped in this
 * order.
 */
function transferLine({ target, bytes, speed }: ActiveTransfer, style: LineStyle): Styled {
  const share = target.size === 0 ? 1 : Math.min(bytes / target.size, 1);
  const name = shortDigest(target.digest).slice(style.columns < 60 ? 'sha256:'.length : 0);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const amounts = `${formatBytes(bytes)} / ${formatBytes(target.size)}`.padStart(21);
  const rate = formatRate(speed, target.size).padStart(12);
  const columns = usable(style);
  const full = `${name} ${percent} ${amounts} ${rate}`;
  const withRate = `${name} ${percent} ${rate}`;
  const rest = [full, withRate, `${name} ${percent}`].find(
    (text) => text.length + 1 + MIN_BAR <= columns,
  );
  if (rest === undefined) return fit(`${name} ${percent}`, columns);
  const width = Math.min(MAX_BAR, columns - rest.length - 1);
  return [name, ' ', ...bar(share, width, style), rest.slice(name.length).trimEnd()];
}

/** Returns the line of the whole transfer: images, blobs, bytes, speed and time left. */
export function totalLine(view: TransferView, style: LineStyle): string {
  const left = view.bytes - view.moved;
  const blobs = `${view.finished} of ${formatCount(view.nodes, 'blob')}`;
  const images =
    view.images === undefined
      ? undefined
      : `${view.finishedImages} of ${formatCount(view.images, 'image')}`;
  const speed = view.active.length > 0 ? formatRate(view.speed, view.bytes) : '';
  const canEstimate = left > 0 && view.speed > 0 && view.steady;
  // In display order. If there is no room for all, parts with a high number are dropped first.
  const parts: readonly (readonly [rank: number, text: string | undefined])[] = [
    [0, images],
    [images === undefined ? 0 : 3, blobs],
    [2, `${formatBytes(view.moved)} of ${formatBytes(view.bytes)}`],
    [4, speed === '' ? undefined : speed],
    [1, canEstimate ? `${formatWholeSeconds((left / view.speed) * 1000)} left` : undefined],
  ];
  const separator = style.unicode ? ' · ' : ', ';
  const withRoom = [4, 3, 2, 1, 0].map((most) =>
    parts
      .flatMap(([rank, text]) => (text === undefined || rank > most ? [] : [text]))
      .join(separator),
  );
  return fit(
    withRoom.find((line) => line.length <= usable(style)) ?? withRoom.at(-1) ?? '',
    usable(style),
  );
}

function bar(share: number, width: number, { unicode }: LineStyle): readonly Styled[] {
  const [done, open] = unicode ? ['━', '─'] : ['=', '-'];
  const filled = Math.round(share * width);
  return [styled('good', done.repeat(filled)), styled('detail', open.repeat(width - filled))];
}

/** Leaves the last column free: some terminals wrap a line that fills it. */
function usable({ columns }: LineStyle): number {
  return Math.max(columns - 1, 1);
}

function fit(text: string, columns: number): string {
  return text.slice(0, Math.max(columns, 1));
}
