import { RegiError } from '../../errors.ts';
import {
  CopyError,
  copyInSession,
  type CopiedImage,
  type CopyImageOptions,
  type CopyJob,
} from './copy-image.ts';
import { CopySession, type CopySessionOptions } from './session.ts';
import { eitherSignal } from '../../concurrency/together.ts';
import { inOrder } from '../../concurrency/in-order.ts';

/** Images walked at once. Their transfers share the session's lanes, so this bounds memory and not speed. */
const IMAGES_AT_ONCE = 64;

export interface CopyImagesOptions extends CopyImageOptions, CopySessionOptions {
  /** Go on with the others when one fails. */
  readonly keepGoing?: boolean | undefined;
}

/** Some of several images failed; each was told as a `failed` event. */
export class PartialFailureError extends RegiError {
  readonly failed: number;
  readonly total: number;

  constructor(failed: number, total: number) {
    super('PARTIAL_FAILURE', `Cannot finish: ${failed} of ${total} images failed`, {
      hint: 'run the same command again: what arrived is not copied twice',
    });
    this.failed = failed;
    this.total = total;
  }
}

/** An image that could not even be begun, such as one whose source is not there. It counts as one that failed. */
export interface FailedJob {
  /** The destination's name as a person reads it. */
  readonly image: string;
  readonly error: unknown;
}

/** Two images with one name: which of them it would be in the end, nobody could tell. */
class SameDestinationError extends RegiError {
  readonly image: string;

  constructor(image: string) {
    super('USAGE', `Cannot copy two images to "${image}"`, {
      hint: 'give each of them a tag of its own',
    });
    this.image = image;
  }
}

/**
 * Copies many images as one command: nodes that they share cross the wire once. Yields in the order of `jobs`, also those that
 * were whole before another failed.
 *
 * @throws {PartialFailureError} at the end, with `keepGoing`, when any failed.
 * @throws {CopyError} at the first failure otherwise; the others have been stopped and have settled.
 * @throws {SameDestinationError} when two are to get the same name.
 * @throws what `jobs` throws; with `keepGoing` when those before it have been copied.
 */
export async function* copyImages(
  jobs: Iterable<CopyJob | FailedJob> | AsyncIterable<CopyJob | FailedJob>,
  options: CopyImagesOptions = {},
): AsyncGenerator<CopiedImage> {
  const { keepGoing = false } = options;
  const session = new CopySession(options);
  const stop = new AbortController();
  const signal = eitherSignal(stop.signal, options.signal);
  const state = {
    total: 0,
    failed: 0,
    unlisted: undefined as { readonly error: unknown } | undefined,
  };

  async function* listed(): AsyncGenerator<CopyJob | FailedJob> {
    const check = createDestinationCheck();
    try {
      for await (const job of jobs) {
        if (!('error' in job)) check(job);
        state.total += 1;
        yield job;
      }
    } catch (error) {
      state.unlisted = { error };
      if (!keepGoing) stop.abort(error);
    }
  }

  async function attempt(
    job: CopyJob | FailedJob,
    either: AbortSignal,
  ): Promise<CopiedImage | undefined> {
    try {
      if ('error' in job)
        throw job.error instanceof RegiError ? new CopyError(job.image, job.error) : job.error;
      return await copyInSession(session, job, { ...options, signal: either });
    } catch (error) {
      // Images that were stopped because another failed have no failure of their own.
      if (either.aborted) return undefined;
      state.failed += 1;
      if (keepGoing) session.onEvent({ kind: 'failed', image: job.image, error });
      else stop.abort(error);
      return undefined;
    }
  }

  for await (const copied of inOrder(listed(), { limit: IMAGES_AT_ONCE, signal }, attempt))
    if (copied !== undefined) yield copied;
  signal.throwIfAborted();
  if (state.unlisted !== undefined) throw state.unlisted.error;
  if (state.failed > 0) throw new PartialFailureError(state.failed, state.total);
}

/** Throws at the second image that is to get a name. The same image twice is no harm. */
function createDestinationCheck(): (job: CopyJob) => void {
  const sources = new Map<string, string>();
  return ({ source, reference, destination, tag, image }) => {
    if (tag === undefined) return;
    const key = JSON.stringify([destination.place, destination.repository, tag]);
    const from = JSON.stringify([source.place, source.repository, reference]);
    const before = sources.get(key);
    if (before !== undefined && before !== from) throw new SameDestinationError(image);
    sources.set(key, from);
  };
}
