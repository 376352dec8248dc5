import type { Clock } from '../../clock.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { addEvent, NO_TOTALS, type CopyTotals } from '../../operations/copy/totals.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { errorObject } from '../output/error-text.ts';
import { jsonLine } from '../output/output.ts';
import type { StatusArea } from '../output/status-area.ts';
import { transferKey, type Progress } from './progress.ts';

/**
 * Interval of `progress` lines per blob. One line per chunk would be 65,000 lines per GiB over TLS.
 */
const INTERVAL_MS = 100;

type ProgressEvent = Extract<CopyEvent, { kind: 'progress' }>;

interface Moving {
  readonly event: ProgressEvent;
  /** Bytes since the last line. */
  readonly bytes: number;
  readonly printedAt: number;
}

/** Prints events as JSON lines, and a last one of kind `summary`. */
export function jsonProgress(clock: Clock, isPlan: boolean, area: StatusArea): Progress {
  const begun = clock.now();
  const moving = new Map<string, Moving>();
  let totals = NO_TOTALS;

  const print = (value: object): void => area.print(jsonLine(value).trimEnd());
  const flush = ({ event, bytes }: Moving): void => {
    if (bytes > 0) print(eventObject({ ...event, bytes }));
  };

  return {
    showsMessages: true,
    onEvent(event) {
      totals = addEvent(totals, event);
      if (event.kind === 'progress') {
        const key = transferKey(event);
        const before = moving.get(key);
        const now = clock.now();
        const next = {
          event,
          bytes: event.bytes + (before?.bytes ?? 0),
          printedAt: before?.printedAt ?? now,
        };
        if (before !== undefined && now - before.printedAt < INTERVAL_MS) {
          moving.set(key, next);
          return;
        }
        moving.set(key, { event, bytes: 0, printedAt: now });
        flush(next);
        return;
      }
      if ('target' in event) {
        const before = moving.get(transferKey(event));
        if (before !== undefined) flush(before);
        moving.delete(transferKey(event));
      }
      print(eventObject(event));
    },
    end(completed) {
      if (completed) print(summaryObject(totals, clock.now() - begun, isPlan));
    },
  };
}

/** Prints the totals of a dry run as the last event of `jsonProgress()`, and no other event. */
export function jsonPlan(clock: Clock, area: StatusArea): Progress {
  const begun = clock.now();
  let totals = NO_TOTALS;
  return {
    showsMessages: false,
    onEvent(event) {
      totals = addEvent(totals, event);
    },
    end(completed) {
      // Commands that transfer nothing also have --dry-run.
      if (completed && totals !== NO_TOTALS)
        area.print(jsonLine(summaryObject(totals, clock.now() - begun, true)).trimEnd());
    },
  };
}

function summaryObject(totals: CopyTotals, milliseconds: number, isPlan: boolean): object {
  return { kind: 'summary', ...(isPlan && { dryRun: true }), ...totals, milliseconds };
}

/**
 * Returns the documented shape of an event: three fields per descriptor; code, message and hint per
 * error.
 */
function eventObject(event: CopyEvent): object {
  return {
    ...event,
    ...('root' in event && { root: nodeObject(event.root) }),
    ...('target' in event && { target: nodeObject(event.target) }),
    ...('error' in event && { error: errorObject(event.error) }),
  };
}

function nodeObject({ mediaType, digest, size }: Descriptor): object {
  return { mediaType, digest, size };
}
