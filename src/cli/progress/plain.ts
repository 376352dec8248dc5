import type { Clock } from '../../clock.ts';
import { assertNever } from '../../errors.ts';
import { formatBytes, formatDuration, shortDigest } from '../../format.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isManifestType } from '../../oci/media-types.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { NO_TOTALS } from '../../operations/copy/totals.ts';
import { printable } from '../../redact.ts';
import type { StatusArea } from '../output/status-area.ts';
import { transferKey, type Progress } from './progress.ts';
import { addBlobs, planLine, summaryLine } from './summary.ts';

/** Prints one line per finished blob and a summary, for logs. */
export function plainProgress(clock: Clock, isPlan: boolean, area: StatusArea): Progress {
  const begun = clock.now();
  const startedAt = new Map<string, number>();
  let totals = NO_TOTALS;
  return {
    showsMessages: false,
    onEvent(event) {
      totals = addBlobs(totals, event);
      if (event.kind === 'started') startedAt.set(transferKey(event), clock.now());
      const since = event.kind === 'copied' ? startedAt.get(transferKey(event)) : undefined;
      const line = plainLine(event, isPlan, since === undefined ? undefined : clock.now() - since);
      if (line !== undefined) area.print(printable(line));
    },
    end(completed) {
      if (completed)
        area.print(isPlan ? planLine(totals) : summaryLine(totals, clock.now() - begun));
    },
  };
}

/** Returns the line for an event; undefined for events that a log does not show. */
function plainLine(
  event: CopyEvent,
  isPlan: boolean,
  milliseconds: number | undefined,
): string | undefined {
  switch (event.kind) {
    case 'unchanged':
      return `same     ${event.image} is unchanged`;
    case 'copied':
      return blobLine(
        isPlan ? 'upload' : 'copied',
        event.target,
        milliseconds === undefined ? undefined : `in ${formatDuration(milliseconds)}`,
      );
    case 'mounted':
      return blobLine(isPlan ? 'mount' : 'mounted', event.target, `from ${event.from}`);
    case 'resumed':
      return blobLine('resumed', event.target, `${formatBytes(event.bytes)} already transferred`);
    case 'skipped':
      return blobLine('skipped', event.target, 'already exists');
    case 'foreign':
      return blobLine('foreign', event.target, 'stays at its own URLs');
    case 'resolved':
    case 'found':
    case 'read':
    case 'listed':
    case 'started':
    case 'progress':
    case 'tagged':
    case 'kept':
    case 'passed':
    case 'failed':
    case 'warning':
    case 'note':
      return undefined;
    default:
      return assertNever(event);
  }
}

function blobLine(verb: string, target: Descriptor, note: string | undefined): string | undefined {
  if (isManifestType(target.mediaType)) return undefined;
  return [verb.padEnd(8), shortDigest(target.digest), formatBytes(target.size).padStart(10), note]
    .filter((part) => part !== undefined)
    .join(' ');
}
