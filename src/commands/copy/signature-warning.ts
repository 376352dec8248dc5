import type { ParsedArguments } from '../../command.ts';
import type { Context } from '../../context.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { CopiedImage } from '../../operations/copy/copy-image.ts';
import { eitherSignal } from '../../concurrency/together.ts';
import type { CopyEvent, OnEvent } from '../../operations/copy/events.ts';
import { hasReferrers, warnOfReferrers } from '../../operations/referrers/warn.ts';
import { flag } from '../arguments/arguments.ts';
import type { NamedJob } from './jobs.ts';

/** Warns of an image that is copied without its signatures. */
export interface BareWarning {
  /** To be told of all events of the copy, which go on from here. */
  readonly onEvent: OnEvent;
  /** Once the image is there. */
  after(copied: CopiedImage, job: NamedJob | undefined): Promise<void>;
  /** Nobody waits for an answer any more. */
  close(): void;
}

/**
 * One image copied without its signatures gets a warning; many do not, for it costs two requests an image. The source is asked while the
 * blobs move, when there are any: behind them it would be two round trips more to wait for.
 */
export function createBareWarning(
  jobOf: (image: string) => NamedJob | undefined,
  args: ParsedArguments,
  context: Context,
): BareWarning {
  const { concurrency } = context.settings;
  const closing = new AbortController();
  let resolved: Extract<CopyEvent, { kind: 'resolved' }> | undefined;
  let asked: Promise<boolean | undefined> | undefined;

  const isWanted = (job: NamedJob | undefined): job is NamedJob =>
    job?.alone === true && !flag(args, 'referrers');

  function ask(): void {
    const job = resolved && jobOf(resolved.image);
    // Who bounds the connections has them all in use.
    if (
      resolved === undefined ||
      asked !== undefined ||
      concurrency !== undefined ||
      !isWanted(job)
    )
      return;
    const signal = eitherSignal(closing.signal, context.signal);
    // It rejects only when it is aborted, and then nobody listens.
    asked = hasReferrers(job.source, resolved.root, { signal }).catch(() => undefined);
  }

  return {
    onEvent(event) {
      if (event.kind === 'resolved') resolved = event;
      if (event.kind === 'found') ask();
      context.onEvent(event);
    },
    async after({ outcome, root }, job) {
      if (outcome !== 'copied' || !isWanted(job)) return;
      await warnOfReferrers(job.source, root, {
        ...context,
        concurrency,
        known: await answerFor(root),
      });
    },
    close: () => closing.abort(),
  };

  async function answerFor(root: Descriptor): Promise<boolean | undefined> {
    return resolved?.root.digest === root.digest ? asked : undefined;
  }
}
