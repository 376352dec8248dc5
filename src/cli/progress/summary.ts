import { formatBytes, formatCount, formatDuration, formatRate } from '../../format.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { addEvent, NO_TOTALS, type CopyTotals } from '../../operations/copy/totals.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';

/** Adds an event to the totals of blobs. Ignores manifests: they are small, and sent once per name. */
export function addBlobs(totals: CopyTotals, event: CopyEvent): CopyTotals {
  return 'target' in event && isManifestType(event.target.mediaType)
    ? totals
    : addEvent(totals, event);
}

/**
 * Summarises a transfer: `5 blobs copied (120.3 MiB), 3 mounted, 4 already there in 12.3 s (9.8 MiB/s)`.
 * Empty if there was nothing to transfer, and for a single unchanged image, which has a line of its own.
 */
export function summaryLine(
  { copied, mounted, skipped, foreign, images, bytesResumed, bytesMoved }: CopyTotals,
  milliseconds: number,
): string {
  // A retried upload also resumes after bytes that this run has sent itself.
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
  const sent = copied.bytes - earlier;
  const rate = formatRate((sent * 1000) / milliseconds, sent);
  return `${parts.join(', ')} in ${formatDuration(milliseconds)}${rate === '' ? '' : ` (${rate})`}`;
}

/** Summarises a plan: `to upload: 5 blobs (120.3 MiB), already there: 4 blobs (80.0 MiB); nothing was written`. */
export function planLine(totals: CopyTotals): string {
  // Commands that transfer nothing also have --dry-run.
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
