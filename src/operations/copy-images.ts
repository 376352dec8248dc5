import { RegiError } from '../errors.ts';
import { copyImage, type CopiedImage, type CopyImageOptions, type CopyJob } from './copy-image.ts';
import { CopySession, type CopySessionOptions } from './copy-session.ts';

/** Images walked at once. Their transfers share the session's lanes, so this bounds memory and not speed. */
const IMAGES_AT_ONCE = 32;

export interface CopyImagesOptions extends CopyImageOptions, CopySessionOptions {
  /** Go on with the others when one fails. */
  readonly keepGoing?: boolean | undefined;
}

/** Some of several images failed; each was told as a `failed` event. */
export class PartialFailureError extends RegiError {
  readonly code = 'PARTIAL_FAILURE';
  readonly failed: number;
  readonly total: number;

  constructor(failed: number, total: number) {
    super(`Cannot finish: ${failed} of ${total} images failed`, { hint: 'run the same command again: what arrived is not copied twice' });
    this.failed = failed;
    this.total = total;
  }
}

/**
 * Copies many images as one command: nodes that they share cross the wire once. Yields in the order of `jobs`.
 *
 * @throws {PartialFailureError} at the end, with `keepGoing`, when any failed.
 * @throws {CopyError} at the first failure otherwise; the others have been stopped and have settled.
 */
export async function* copyImages(jobs: Iterable<CopyJob> | AsyncIterable<CopyJob>, options: CopyImagesOptions = {}): AsyncIterable<CopiedImage> {
  const session = new CopySession(options);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const running: Promise<Outcome>[] = [];
  let total = 0;
  let failed = 0;
  const finishFirst = async (): Promise<CopiedImage | undefined> => {
    const outcome = await running.shift();
    if (outcome === undefined || outcome.kind === 'done') return outcome?.copied;
    if (options.keepGoing !== true || options.signal?.aborted === true) throw outcome.error;
    failed += 1;
    return undefined;
  };
  try {
    for await (const job of jobs) {
      total += 1;
      running.push(attempt(session, job, { ...options, signal }, (error) => options.keepGoing !== true && stop.abort(error)));
      if (running.length < IMAGES_AT_ONCE) continue;
      const copied = await finishFirst();
      if (copied !== undefined) yield copied;
    }
    while (running.length > 0) {
      const copied = await finishFirst();
      if (copied !== undefined) yield copied;
    }
  } finally {
    stop.abort();
    await Promise.all(running);
  }
  options.signal?.throwIfAborted();
  if (failed > 0) throw new PartialFailureError(failed, total);
}

type Outcome = { readonly kind: 'done'; readonly copied: CopiedImage } | { readonly kind: 'failed'; readonly error: unknown };

/** Never rejects: an image that fails while another is awaited must not be an unhandled rejection. */
async function attempt(
  session: CopySession,
  job: CopyJob,
  options: CopyImagesOptions & { signal: AbortSignal },
  onFailure: (error: unknown) => void,
): Promise<Outcome> {
  try {
    return { kind: 'done', copied: await copyImage(session, job, options) };
  } catch (error) {
    // Images that were stopped because another failed have no failure of their own.
    if (options.keepGoing === true && !options.signal.aborted) session.onEvent({ kind: 'failed', image: job.image, error });
    onFailure(error);
    return { kind: 'failed', error: options.signal.aborted ? (options.signal.reason ?? error) : error };
  }
}
