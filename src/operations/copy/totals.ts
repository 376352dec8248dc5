import { assertNever } from '../../errors.ts';
import type { CopyEvent } from './events.ts';

/** Counts nodes and bytes by outcome. Bytes are the sizes of the descriptors. */
export interface CopyTotals {
  readonly copied: Tally;
  readonly mounted: Tally;
  readonly skipped: Tally;
  readonly foreign: Tally;
  /** `kept`: the tag points at another manifest and was not overwritten. */
  readonly images: {
    readonly tagged: number;
    readonly unchanged: number;
    readonly kept: number;
    readonly failed: number;
  };
  /** Bytes of content read, failed attempts included. */
  readonly bytesMoved: number;
  /** Bytes of partial nodes that did not move again: kept from an earlier run or attempt. */
  readonly bytesResumed: number;
}

export interface Tally {
  readonly nodes: number;
  /** Bytes. */
  readonly bytes: number;
}

const NOTHING: Tally = { nodes: 0, bytes: 0 };

export const NO_TOTALS: CopyTotals = {
  copied: NOTHING,
  mounted: NOTHING,
  skipped: NOTHING,
  foreign: NOTHING,
  images: { tagged: 0, unchanged: 0, kept: 0, failed: 0 },
  bytesMoved: 0,
  bytesResumed: 0,
};

/** Returns the totals after one more event. */
export function addEvent(totals: CopyTotals, event: CopyEvent): CopyTotals {
  switch (event.kind) {
    case 'copied':
    case 'mounted':
    case 'skipped':
    case 'foreign': {
      const { nodes, bytes } = totals[event.kind];
      return { ...totals, [event.kind]: { nodes: nodes + 1, bytes: bytes + event.target.size } };
    }
    case 'progress':
      return { ...totals, bytesMoved: totals.bytesMoved + event.bytes };
    case 'resumed':
      return { ...totals, bytesResumed: totals.bytesResumed + event.bytes };
    case 'tagged':
    case 'unchanged':
    case 'kept':
    case 'failed':
      return {
        ...totals,
        images: { ...totals.images, [event.kind]: totals.images[event.kind] + 1 },
      };
    case 'resolved':
    case 'found':
    case 'read':
    case 'listed':
    case 'started':
    case 'passed':
    case 'warning':
    case 'note':
      return totals;
    default:
      return assertNever(event);
  }
}
