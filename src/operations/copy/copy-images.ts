import { RegiError } from '../../errors.ts';
import {
  CopyError,
  copyInSession,
  type CopiedImage,
  type CopyImageOptions,
  type CopyJob,
} from './copy-image.ts';
import type { Platform } from '../../oci/descriptor.ts';
import { formatPlatform } from '../../oci/platform.ts';
import { quote } from '../../quote.ts';
import { commonCause } from '../../shared-cause.ts';
import { checkNoneLeftOut } from '../referrers/left-out.ts';
import { CopySession, type CopySessionOptions } from './session.ts';
import { eitherSignal } from '../../concurrency/together.ts';
import { inOrder } from '../../concurrency/in-order.ts';

/**
 * Images walked at once. Their transfers share the lanes of the session, so this bounds memory, not
 * speed.
 */
const IMAGES_AT_ONCE = 64;

/** How several images are copied. */
export interface CopyImagesOptions extends CopyImageOptions, CopySessionOptions {
  /** Continues with the other images when one fails. */
  readonly keepGoing?: boolean | undefined;
}

/** Some of several images failed; a `failed` event was emitted for each. */
export class PartialFailureError extends RegiError {
  /** Images that failed. */
  readonly failed: number;
  /** All images. */
  readonly total: number;

  /**
   * @param cause the error that every image failed with, if it is one: its code and hint are then
   *   those of the whole.
   */
  constructor(failed: number, total: number, cause?: RegiError) {
    super(
      cause?.code ?? 'PARTIAL_FAILURE',
      `Cannot finish: ${failed} of ${total} images failed${cause === undefined ? '' : ', all for one reason'}`,
      {
        hint: cause?.hint ?? 'run the same command again: content that arrived is not copied twice',
        cause,
      },
    );
    this.failed = failed;
    this.total = total;
  }
}

/** An image that could not be started, such as one whose source is missing. Counts as failed. */
export interface FailedJob {
  /** The destination's name as a person reads it. */
  readonly image: string;
  /** The reason. */
  readonly error: unknown;
}

/**
 * Copies many images as one command: shared nodes cross the wire once. Yields each with its job, in
 * the order of `jobs`, also images that were complete before another failed. Images that are passed
 * over are not yielded.
 *
 * @throws {PartialFailureError} at the end, with `keepGoing`, if any image failed; with the code of
 *   the cause if all failed for one.
 * @throws {RegiError} PARTIAL_FAILURE at the end, if all images were copied, but some without their
 *   referrers.
 * @throws {CopyError} at the first failure otherwise; the other images are stopped and have
 *   settled.
 * @throws {RegiError} with code NOT_FOUND when all images are passed over, with code USAGE when two
 *   different images would get the same tag.
 * @throws what `jobs` throws; with `keepGoing`, after the images before it have been copied.
 */
export async function* copyImages<Job extends CopyJob>(
  jobs: Iterable<Job | FailedJob> | AsyncIterable<Job | FailedJob>,
  options: CopyImagesOptions = {},
): AsyncGenerator<CopiedImage & { readonly job: Job }> {
  const { keepGoing = false } = options;
  const session = new CopySession(options);
  const stop = new AbortController();
  const signal = eitherSignal(stop.signal, options.signal);
  const state = {
    total: 0,
    failures: [] as unknown[],
    lacking: [] as CopiedImage[],
    passed: 0,
    unlisted: undefined as { readonly error: unknown } | undefined,
  };

  async function* listed(): AsyncGenerator<Job | FailedJob> {
    const check = createDestinationCheck();
    try {
      for await (const job of jobs) {
        if (!isFailed(job)) check(job);
        state.total += 1;
        yield job;
      }
    } catch (error) {
      state.unlisted = { error };
      if (!keepGoing) stop.abort(error);
    }
  }

  async function attempt(
    job: Job | FailedJob,
    either: AbortSignal,
  ): Promise<(CopiedImage & { readonly job: Job }) | undefined> {
    try {
      if (isFailed(job))
        throw job.error instanceof RegiError ? new CopyError(job.image, job.error) : job.error;
      const copied = await copyInSession(session, job, { ...options, signal: either });
      if (copied.outcome !== 'passed') return { ...copied, job };
      state.passed += 1;
      return undefined;
    } catch (error) {
      // An image that was stopped because another failed is no failure of its own.
      if (either.aborted) return undefined;
      state.failures.push(error);
      if (keepGoing) session.onEvent({ kind: 'failed', image: job.image, error });
      else stop.abort(error);
      return undefined;
    }
  }

  for await (const copied of inOrder(listed(), { limit: IMAGES_AT_ONCE, signal }, attempt)) {
    if (copied === undefined) continue;
    if (copied.leftOut > 0) state.lacking.push(copied);
    yield copied;
  }
  signal.throwIfAborted();
  if (state.unlisted !== undefined) throw state.unlisted.error;
  const { failures, passed, total } = state;
  if (passed === total) requireAny(options.platforms, total);
  if (failures.length > 0)
    throw new PartialFailureError(
      failures.length,
      total,
      total > 1 && failures.length === total ? commonCause(failures) : undefined,
    );
  checkNoneLeftOut(state.lacking);
}

/**
 * @throws {RegiError} NOT_FOUND when there were images, and none has any of the wanted platforms.
 */
export function requireAny(platforms: readonly Platform[] = [], images: number): void {
  if (images === 0) return;
  const names = platforms.map((platform) => formatPlatform(platform)).join(', ');
  throw new RegiError('NOT_FOUND', `Cannot find ${names} in any of the images`, {
    hint: 'regi inspect shows the platforms of an image',
  });
}

function isFailed(job: CopyJob | FailedJob): job is FailedJob {
  return 'error' in job;
}

/** Throws when a second image would get the same tag. The same image twice is harmless. */
function createDestinationCheck(): (job: CopyJob) => void {
  const sources = new Map<string, string>();
  return ({ source, reference, destination, tag, image }) => {
    if (tag === undefined) return;
    const key = JSON.stringify([destination.place, destination.repository, tag]);
    const from = JSON.stringify([source.place, source.repository, reference]);
    const before = sources.get(key);
    if (before !== undefined && before !== from)
      throw new RegiError('USAGE', `Cannot copy two images to ${quote(image)}`, {
        hint: 'give each of them its own tag',
      });
    sources.set(key, from);
  };
}
