import type { Clock } from '../../clock.ts';
import { assertNever } from '../../errors.ts';
import { formatBytes, formatCount, formatDuration, shortDigest } from '../../format.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { isManifestType } from '../../oci/media-types.ts';
import type { CopyEvent } from '../../operations/copy/events.ts';
import { NO_TOTALS } from '../../operations/copy/totals.ts';
import { printable } from '../../redact.ts';
import type { Fold, StatusArea } from '../output/status-area.ts';
import { transferKey, type Progress } from './progress.ts';
import { addBlobs, planLine, summaryLine } from './summary.ts';
import { totalLine } from './transfer-lines.ts';
import { TransferModel } from './transfer-model.ts';

export interface PlainOptions {
  readonly clock: Clock;
  /** True for `--dry-run`. */
  readonly isPlan: boolean;
  /** True if the command prints a summary itself. */
  readonly summarises?: boolean | undefined;
  /** How the log folds the lines of the transfer; undefined if it cannot. */
  readonly fold: Fold | undefined;
}

/** Readers of a log take a longer silence for a hang, and some CI services end such a job. */
const LONGEST_SILENCE_MS = 10_000;

/**
 * Prints lines for logs: the image when its transfer begins, each finished blob, a line after ten
 * seconds of silence, and a summary.
 */
export function plainProgress(
  { clock, isPlan, summarises = false, fold }: PlainOptions,
  area: StatusArea,
): Progress {
  const begun = clock.now();
  const startedAt = new Map<string, number>();
  const model = new TransferModel();
  let totals = NO_TOTALS;
  let image: string | undefined;
  let images = 1;
  let isFolded = false;
  let isFile = false;
  let silence: NodeJS.Timeout | undefined;

  function begin(): void {
    // Commands that only read layers, such as `files`, name no image.
    const subject = images > 1 ? formatCount(images, 'image') : image;
    if (subject !== undefined) {
      const title = printable(`Copying ${subject}`);
      if (fold === undefined) area.print(title);
      else area.openFold(fold, title, begun);
      isFolded = fold !== undefined;
    }
    silence = setInterval(() => {
      const name = images === 1 && image !== undefined ? `${image}: ` : '';
      area.print(printable(`moving   ${name}${totalLine(model.view(clock.now()), LOG_STYLE)}`));
    }, LONGEST_SILENCE_MS);
    // Work that has ended must not wait for it.
    silence.unref();
  }

  return {
    showsMessages: false,
    onEvent(event) {
      totals = addBlobs(totals, event);
      isFile ||= isInFile(event);
      model.add(event, clock.now());
      if (event.kind === 'resolved') image = event.image;
      if (event.kind === 'listed') images = event.images;
      // A single image may turn out to be unchanged, which is one line.
      const begins = event.kind === 'listed' ? images > 1 : event.kind === 'found';
      if (begins && silence === undefined && !isPlan) begin();
      if (event.kind === 'started') startedAt.set(transferKey(event), clock.now());
      const since = event.kind === 'copied' ? startedAt.get(transferKey(event)) : undefined;
      const line = plainLine(event, isPlan, since === undefined ? undefined : clock.now() - since);
      if (line === undefined) return;
      silence?.refresh();
      area.print(printable(line));
    },
    end(completed) {
      clearInterval(silence);
      if (fold !== undefined && isFolded) area.closeFold(fold, clock.now());
      if (completed && !summarises)
        area.print(
          isPlan
            ? planLine(totals, isFile ? 'to write' : 'to upload')
            : summaryLine(totals, clock.now() - begun),
        );
    },
  };
}

/** A log has no width, and may be read where only ASCII is shown. */
const LOG_STYLE = { columns: Number.POSITIVE_INFINITY, rows: 0, unicode: false };

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
        isPlan ? (isInFile(event) ? 'write' : 'upload') : 'copied',
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

/** True if a new archive gets the node: no registry has to be named. */
function isInFile(event: CopyEvent): boolean {
  return event.kind === 'copied' && event.to === '';
}

function blobLine(verb: string, target: Descriptor, note: string | undefined): string | undefined {
  if (isManifestType(target.mediaType)) return undefined;
  return [verb.padEnd(8), shortDigest(target.digest), formatBytes(target.size).padStart(10), note]
    .filter((part) => part !== undefined)
    .join(' ');
}
