import type { CopyTotals } from '../operations/copy-totals.ts';
import { formatBytes, formatCount, formatDuration, formatRate } from './format.ts';

/**
 * What a command moved, in one line: `5 copied (120.3 MiB), 3 mounted, 4 already there in 12.3 s (9.8 MiB/s)`.
 * Empty when nothing was to be moved at all.
 */
export function summaryLine(totals: CopyTotals, milliseconds: number): string {
  const { copied, mounted, skipped, foreign, images } = totals;
  const parts = [
    copied.nodes > 0 ? `${copied.nodes} copied (${formatBytes(copied.bytes)})` : undefined,
    mounted.nodes > 0 ? `${mounted.nodes} mounted` : undefined,
    skipped.nodes > 0 ? `${skipped.nodes} already there` : undefined,
    foreign.nodes > 0 ? `${foreign.nodes} left at their own URLs` : undefined,
    images.unchanged > 0 ? `${formatCount(images.unchanged, 'image')} unchanged` : undefined,
    images.failed > 0 ? `${formatCount(images.failed, 'image')} failed` : undefined,
  ].filter((part) => part !== undefined);
  if (parts.length === 0) return '';
  const rate = copied.bytes > 0 ? ` (${formatRate(copied.bytes, milliseconds)})` : '';
  return `${parts.join(', ')} in ${formatDuration(milliseconds)}${rate}`;
}
