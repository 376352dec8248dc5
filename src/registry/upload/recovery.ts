import { ContentMismatchError } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import type { Turn } from '../../concurrency/admissions.ts';
import { backoffMs, MAX_RETRY_AFTER_MS } from '../../http/retry.ts';
import { blobExists } from '../blobs.ts';
import { NotFoundError, RateLimitedError, RefusedError, RegistryAnswerError } from '../errors.ts';
import { refillBytes } from '../resuming.ts';
import { cancelForGood, forgetUpload, keepOrCancel } from './journal.ts';
import { askUpload, cancelUpload, type Upload, type UploadState } from './session.ts';

/** The content could not be read, or is not what it should be. No restart of an upload mends that. */
export class SourceFailure extends Error {
  readonly failure: unknown;

  constructor(failure: unknown) {
    super('The content of an upload failed');
    this.failure = failure;
  }
}

/** A body was too large for the registry or a proxy before it. */
export class TooLargeError extends Error {
  /** Size of the body. Bytes. */
  readonly sent: number;
  readonly refusal: RefusedError;

  constructor(sent: number, refusal: RefusedError) {
    super(refusal.message);
    this.sent = sent;
    this.refusal = refusal;
  }
}

export type Recovery =
  | { readonly kind: 'go-on'; readonly state: UploadState }
  /** In a new session. */
  | { readonly kind: 'start-again' }
  /** The blob is at the registry: only its answer was lost. */
  | { readonly kind: 'done' };

/** Requests that are too large may shrink this often; halving from gigabytes to nothing takes fewer. */
const SHRINKS = 12;

/** What the failures of one upload have left of its patience. */
export class UploadRecovery {
  readonly #upload: Upload;
  readonly #turn: Turn;
  #failures = 0;
  #shrinks = 0;
  #refillAt: number;
  /** False once going on behind the bytes that the registry counted did not work. */
  #trustsCount: boolean;

  constructor(upload: Upload) {
    this.#upload = upload;
    const { connection } = upload.repository;
    this.#turn = connection.admissions.wait(connection.origin() ?? '');
    this.#refillAt = refillBytes(upload.target.size);
    this.#trustsCount = connection.uploadSizes.chunkToContinue(upload.target.size) !== undefined;
  }

  /**
   * Waits, and finds out how an upload goes on that failed with `error`. A session that is of no use any more is deleted.
   *
   * @param isUntouched nothing was taken in this attempt.
   * @throws what failed, when trying again is of no use or was tried often enough; the signal's reason when it aborts.
   */
  async after(error: unknown, state: UploadState, isUntouched: boolean): Promise<Recovery> {
    const isGone = error instanceof RegistryAnswerError && error.status === 404;
    try {
      const recovery = await this.#recover(error, state, isUntouched);
      if (recovery.kind === 'start-again' && !isGone && recovery.isGone !== true)
        await cancelUpload(this.#upload.repository, state.session);
      return recovery;
    } catch (failure) {
      if (isGone) await forgetUpload(this.#upload);
      else if (mayGoOnLater(error)) await keepOrCancel(this.#upload, state);
      else await cancelForGood(this.#upload, state.session);
      throw failure;
    }
  }

  async #recover(
    error: unknown,
    state: UploadState,
    isUntouched: boolean,
  ): Promise<Recovery & { readonly isGone?: boolean }> {
    const { repository, signal } = this.#upload;
    signal?.throwIfAborted();
    if (error instanceof SourceFailure) throw error.failure;
    if (error instanceof TooLargeError) {
      this.#shrink(error);
      return { kind: 'start-again' };
    }
    const { clock, retries } = repository.connection;
    const isNotOurTurn = retries > 0 && error instanceof RateLimitedError && this.#turn.isMoving();
    if (!isNotOurTurn) this.#failures += 1;
    await clock.sleep(this.#waitMs(error), signal);
    // To ask what it has, or for another session, is what a registry that is asked too often wants least.
    if (error instanceof RateLimitedError && isUntouched)
      return { kind: 'go-on', state: { ...state, given: state.position } };
    if (state.position > 0 && isMiscount(error)) this.#trustsCount = false;
    return mayBeKept(error) && this.#trustsCount ? this.#ask(state) : { kind: 'start-again' };
  }

  #shrink({ sent, refusal }: TooLargeError): void {
    this.#shrinks += 1;
    if (this.#shrinks > SHRINKS || !this.#upload.repository.connection.uploadSizes.refused(sent))
      throw refusal;
  }

  #waitMs(error: unknown): number {
    const { clock, retries } = this.#upload.repository.connection;
    const asked = error instanceof RegistryAnswerError ? error.retryAfterMs : undefined;
    if (!isRestartable(error) || this.#failures > retries || (asked ?? 0) > MAX_RETRY_AFTER_MS)
      throw error;
    return asked ?? backoffMs(Math.max(0, this.#failures - 1), clock);
  }

  async #ask(state: UploadState): Promise<Recovery & { readonly isGone?: boolean }> {
    const { repository, target, action, signal } = this.#upload;
    const status = await askUpload(repository, action, state.session, { signal });
    if (status.kind === 'gone') {
      // A PUT that was done ends its session too.
      const isDone =
        state.given === target.size && (await blobExists(repository, target, { signal }));
      return isDone ? { kind: 'done' } : { kind: 'start-again', isGone: true };
    }
    // Who has more than it was given has something else.
    if (status.kind === 'unknown' || status.size > state.given) return { kind: 'start-again' };
    if (status.size >= this.#refillAt) {
      this.#failures = 0;
      this.#refillAt = status.size + refillBytes(target.size);
    }
    return {
      kind: 'go-on',
      state: { session: status.session, position: status.size, given: status.size },
    };
  }
}

/** Failures that another try may not have. A registry that misses the right digest of proved bytes got others on the way. */
function isRestartable(error: unknown): boolean {
  if (!(error instanceof RegiError)) return false;
  if (error.code === 'NETWORK' || error.code === 'TIMEOUT' || error.code === 'SERVER_FAILED')
    return true;
  if (error instanceof NotFoundError) return error.method !== 'POST';
  if (error instanceof RateLimitedError) return true;
  return (
    error instanceof RefusedError &&
    error.problems.some(({ code }) => code !== undefined && LOST_SESSION.has(code))
  );
}

const LOST_SESSION: ReadonlySet<string> = new Set([
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'RANGE_INVALID',
  'SIZE_INVALID',
]);

/** Whether the session may have outlived the failure: it said neither that it is lost nor that its bytes are wrong. */
function mayBeKept(error: unknown): boolean {
  if (!(error instanceof RegistryAnswerError)) return true;
  return error.status !== 404 && (!(error instanceof RefusedError) || error.status === 416);
}

/** Whether the registry found a gap, an overlap, or the wrong bytes. */
function isMiscount(error: unknown): boolean {
  return (
    error instanceof RegistryAnswerError && (error instanceof RefusedError || error.status === 416)
  );
}

/** Whether the next run may do what this one cannot: nobody has said that the bytes are wrong or unwanted. */
function mayGoOnLater(error: unknown): boolean {
  if (error instanceof TooLargeError || error instanceof RefusedError) return false;
  return !(error instanceof SourceFailure && error.failure instanceof ContentMismatchError);
}
