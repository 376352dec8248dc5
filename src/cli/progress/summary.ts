import { formatBytes, formatCount } from '../../format.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { addEvent, NO_TOTALS, type CopyTotals } from '../../operations/copy/totals.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { formatDuration, formatRate } from './format.ts';

/** The totals after one more event, without manifests: those are small, are sent for each name, and are no news to a person. */
export function addBlobs(totals: CopyTotals, event: CopyEvent): CopyTotals {
  return 'target' in event && isManifestType(event.target.mediaType)
    ? totals
    : addEvent(totals, event);
}

/**
 * What a command moved, in one line: `5 blobs copied (120.3 MiB), 3 mounted, 4 already there in 12.3 s (9.8 MiB/s)`.
 * Empty when nothing was to be moved, and of one image that had not changed, which its own line says.
 */
export function summaryLine(
  { copied, mounted, skipped, foreign, images, bytesResumed, bytesMoved }: CopyTotals,
  milliseconds: number,
): string {
  // An upload that was cut goes on behind bytes that this very run has moved.
  const earlier = Math.min(bytesResumed, Math.max(copied.bytes - bytesMoved, 0));
  const blobs = [
    {
      nodes: copied.nodes,
      became: `copied (${formatBytes(copied.bytes)}${earlier === 0 ? '' : `, of which ${formatBytes(earlier)} earlier`})`,
    },
    { nodes: mounted.nodes, became: 'mounted' },
    { nodes: skipped.nodes, became: 'already there' },
    { nodes: foreign.nodes, became: 'left at their own URLs' },
  ].filter(({ nodes }) => nodes > 0);
  const parts = [
    ...blobs.map(
      ({ nodes, became }, index) => `${index === 0 ? formatCount(nodes, 'blob') : nodes} ${became}`,
    ),
    ...imageParts(images),
  ];
  if (parts.length === 0 || (parts.length === 1 && images.unchanged === 1)) return '';
  const rate =
    copied.bytes > earlier && milliseconds > 0
      ? ` (${formatRate(copied.bytes - earlier, milliseconds)})`
      : '';
  return `${parts.join(', ')} in ${formatDuration(milliseconds)}${rate}`;
}

/** What a command would move: `to upload: 5 blobs (120.3 MiB), to mount: 3 blobs (2.1 MiB), already there: 4 blobs (80.0 MiB); nothing was written`. */
export function planLine(totals: CopyTotals): string {
  // A command that moves nothing has no such plan.
  if (totals === NO_TOTALS) return '';
  const { copied, mounted, skipped, foreign, images } = totals;
  const blobs = [
    { title: 'to upload', ...copied },
    { title: 'to mount', ...mounted },
    { title: 'already there', ...skipped },
    { title: 'at their own URLs', ...foreign },
  ].filter(({ nodes }, index) => nodes > 0 || index === 0);
  const parts = [
    ...blobs.map(
      ({ title, nodes, bytes }) =>
        `${title}: ${formatCount(nodes, 'blob')} (${formatBytes(bytes)})`,
    ),
    ...imageParts(images),
  ];
  return `${parts.join(', ')}; nothing was written`;
}

function imageParts({ unchanged, kept, failed }: CopyTotals['images']): readonly string[] {
  return Object.entries({ unchanged, kept, failed })
    .filter(([, count]) => count > 0)
    .map(([became, count]) => `${formatCount(count, 'image')} ${became}`);
}
