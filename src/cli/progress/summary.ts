import { formatBytes, formatCount, formatDuration, formatRate } from '../../format.ts';
import { isManifestType } from '../../oci/media-types.ts';
import { addEvent, NO_TOTALS, type CopyTotals } from '../../operations/copy/totals.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';

/**
 * Adds an event to the totals of blobs. Ignores manifests: they are small, and sent once per name.
 */
export function addBlobs(totals: CopyTotals, event: CopyEvent): CopyTotals {
  return 'target' in event && isManifestType(event.target.mediaType)
    ? totals
    : addEvent(totals, event);
}

/**
 * Summarises a transfer: `5 blobs copied (120.3 MiB), 3 mounted, 4 already there in 12.3 s (9.8
 * MiB/s)`. Several images come first: `33 images: 30 copied, 3 unchanged; 5 blobs copied …`. Empty
 * if there was nothing to transfer, and for a single unchanged image, which has a line of its own.
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
  const counted = blobs.map(
    ({ nodes, became }, index) => `${index === 0 ? formatCount(nodes, 'blob') : nodes} ${became}`,
  );
  // The error at the end counts them.
  if (counted.length === 0 && countOf(images) === images.failed) return '';
  const whole = withImages(counted, images, 'copied');
  if (
    whole === '' ||
    (counted.length === 0 && countOf(images) === images.unchanged && images.unchanged === 1)
  )
    return '';
  const sent = copied.bytes - earlier;
  const rate = formatRate((sent * 1000) / milliseconds, sent);
  return `${whole} in ${formatDuration(milliseconds)}${rate === '' ? '' : ` (${rate})`}`;
}

/**
 * Summarises a plan: `to upload: 5 blobs (120.3 MiB), already there: 4 blobs (80.0 MiB); nothing
 * was written`.
 */
export function planLine(totals: CopyTotals, verb: 'to upload' | 'to write' = 'to upload'): string {
  // Commands that transfer nothing also have --dry-run.
  if (totals === NO_TOTALS) return '';
  const { copied, mounted, skipped, foreign, images } = totals;
  const blobs = [
    { title: verb, ...copied },
    { title: 'to mount', ...mounted },
    { title: 'already there', ...skipped },
    { title: 'at their own URLs', ...foreign },
  ].filter(({ nodes }, index) => nodes > 0 || index === 0);
  const counted = blobs.map(
    ({ title, nodes, bytes }) => `${title}: ${formatCount(nodes, 'blob')} (${formatBytes(bytes)})`,
  );
  return `${withImages(counted, images, 'to copy')}; nothing was written`;
}

/**
 * Joins the parts of a summary. Several images begin it; of a single one only an unusual outcome is
 * said.
 */
function withImages(
  parts: readonly string[],
  images: CopyTotals['images'],
  became: 'copied' | 'to copy',
): string {
  const { tagged, unchanged, kept, failed } = images;
  const outcomes = Object.entries({ [became]: tagged, unchanged, kept, failed }).filter(
    ([, count]) => count > 0,
  );
  const all = countOf(images);
  if (all < 2) {
    const unusual = outcomes
      .filter(([outcome]) => outcome !== became)
      .map(([outcome, count]) => `${formatCount(count, 'image')} ${outcome}`);
    return [...parts, ...unusual].join(', ');
  }
  const [only, ...others] = outcomes;
  const said =
    only !== undefined && others.length === 0
      ? `${formatCount(all, 'image')} ${only[0]}`
      : `${formatCount(all, 'image')}: ${outcomes.map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`;
  return [said, ...(parts.length > 0 ? [parts.join(', ')] : [])].join('; ');
}

function countOf({ tagged, unchanged, kept, failed }: CopyTotals['images']): number {
  return tagged + unchanged + kept + failed;
}
