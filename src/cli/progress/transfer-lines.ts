import { formatBytes, shortDigest } from '../../format.ts';
import { formatWholeSeconds } from './format.ts';
import type { ActiveTransfer, TransferView } from './transfer-model.ts';

/** More than this nobody reads. */
const MAX_TRANSFERS = 8;
/** The line of how many more there are, the total, and the one that the cursor is in. */
const OTHER_LINES = 3;
const MAX_BAR = 32;
const MIN_BAR = 6;

export interface LineStyle {
  readonly columns: number;
  readonly rows: number;
  readonly color: boolean;
  /** Whether the terminal shows more than ASCII. */
  readonly unicode: boolean;
}

/** The lines of the live view: one per active transfer, and the total. None is wider than the terminal. */
export function transferLines(view: TransferView, style: LineStyle): readonly string[] {
  if (view.nodes === 0) return [];
  // An area that scrolls cannot be drawn over.
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
 * A line keeps what fits, the dearest first: digest and percentage, then the bar, bytes and speed.
 */
function transferLine({ target, bytes, speed }: ActiveTransfer, style: LineStyle): string {
  const share = target.size === 0 ? 1 : Math.min(bytes / target.size, 1);
  const name = shortDigest(target.digest).slice(style.columns < 60 ? 'sha256:'.length : 0);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const amounts = `${formatBytes(bytes)} / ${formatBytes(target.size)}`.padStart(21);
  const rate = `${formatBytes(Math.round(speed))}/s`.padStart(12);
  const columns = usable(style);
  const full = `${name} ${percent} ${amounts} ${rate}`;
  const withRate = `${name} ${percent} ${rate}`;
  const rest = [full, withRate, `${name} ${percent}`].find(
    (text) => text.length + 1 + MIN_BAR <= columns,
  );
  if (rest === undefined) return fit(`${name} ${percent}`, columns);
  const width = Math.min(MAX_BAR, columns - rest.length - 1);
  return `${name} ${bar(share, width, style)}${rest.slice(name.length)}`;
}

function totalLine(view: TransferView, style: LineStyle): string {
  const left = view.bytes - view.moved;
  const blobs = `${view.finished} of ${view.nodes} blobs`;
  const images =
    view.images === undefined ? undefined : `${view.finishedImages} of ${view.images} images`;
  const isMoving = view.active.length > 0;
  const canTell = left > 0 && view.speed > 0 && view.steady;
  // In the order of their places; the number says how dear a part is when there is not room for all.
  const parts: readonly (readonly [dear: number, text: string | undefined])[] = [
    [0, images],
    [images === undefined ? 0 : 3, blobs],
    [2, `${formatBytes(view.moved)} of ${formatBytes(view.bytes)}`],
    [4, isMoving ? `${formatBytes(Math.round(view.speed))}/s` : undefined],
    [1, canTell ? `${formatWholeSeconds((left / view.speed) * 1000)} left` : undefined],
  ];
  const separator = style.unicode ? ' · ' : ', ';
  const withRoom = [4, 3, 2, 1, 0].map((most) =>
    parts
      .flatMap(([dear, text]) => (text === undefined || dear > most ? [] : [text]))
      .join(separator),
  );
  return fit(
    withRoom.find((line) => line.length <= usable(style)) ?? withRoom.at(-1) ?? '',
    usable(style),
  );
}

function bar(share: number, width: number, { color, unicode }: LineStyle): string {
  const [done, open] = unicode ? ['━', '─'] : ['=', '-'];
  const filled = Math.round(share * width);
  const [full, empty] = [done.repeat(filled), open.repeat(width - filled)];
  return color ? `\x1b[32m${full}\x1b[0m\x1b[2m${empty}\x1b[0m` : `${full}${empty}`;
}

/** The last column stays free: some terminals break the line when it is written. */
function usable({ columns }: LineStyle): number {
  return Math.max(columns - 1, 1);
}

function fit(text: string, columns: number): string {
  return text.slice(0, Math.max(columns, 1));
}
