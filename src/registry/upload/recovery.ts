import { ContentMismatchError } from '../../bytes.ts';
import { Patience } from '../../concurrency/patience.ts';
import { RegiError } from '../../errors.ts';
import { NetworkError } from '../../http/errors.ts';
import { MAX_RETRY_AFTER_MS } from '../../http/retry.ts';
import { blobExists, blobIsProved } from '../blobs.ts';
import { isResponseError, RegistryResponseError } from '../errors.ts';
import { cancelForGood, forgetUpload, keepOrCancel } from './journal.ts';
import { queryUpload, cancelUpload, type Upload, type UploadState } from './session.ts';

/** Content that cannot be read, or has the wrong bytes. No restart of an upload mends that. */
export class SourceFailure extends Error {
  readonly failure: unknown;

  constructor(failure: unknown) {
    super('The content of an upload failed');
    this.failure = failure;
  }
}

/** A body that is too large for the registry or a proxy before it. */
export class TooLargeError extends Error {
  /** Size of the body. Bytes. */
  readonly sent: number;
  readonly refusal: RegistryResponseError;

  constructor(sent: number, refusal: RegistryResponseError) {
    super(refusal.message);
    this.sent = sent;
    this.refusal = refusal;
  }
}

export type Recovery =
  | { readonly kind: 'resume'; readonly state: UploadState }
  /** In a new session; `isGone`: the old one is gone. */
  | { readonly kind: 'restart'; readonly isGone?: boolean }
  /** The registry has the blob: only its response was lost. */
  | { readonly kind: 'done' };

/**
 * Requests that are too large may shrink this often; halving from gigabytes to nothing takes fewer.
 */
const SHRINKS = 12;
/** A proxy may cut bodies that are too large without a word. */
const WHOLE_CUTS = 2;

/** Decides how one upload continues after each of its failures. */
export class UploadRecovery {
  readonly #upload: Upload;
  readonly #patience: Patience;
  #shrinks = 0;
  /** Uploads in one request that were cut. */
  #wholeCuts = 0;
  /** False after an attempt to resume behind the bytes that the registry counted has failed. */
  #trustsCount: boolean;

  constructor(upload: Upload) {
    const { repository, target, signal } = upload;
    const { connection } = repository;
    const { clock, retries } = connection;
    this.#upload = upload;
    this.#patience = new Patience({
      clock,
      retries,
      signal,
      turn: connection.admissions.wait(connection.origin() ?? ''),
      transfer: { size: target.size, offset: 0 },
    });
    this.#trustsCount = connection.uploadSizes.chunkToContinue(target.size) !== undefined;
  }

  /**
   * Waits, and finds out how the upload continues after `error`. Deletes a session that is of no
   * more use.
   *
   * @param isUntouched true if the registry took nothing in this attempt.
   * @throws the failure, when a retry is useless or none is left; the signal's reason when it
   *   aborts.
   */
  async after(error: unknown, state: UploadState, isUntouched: boolean): Promise<Recovery> {
    const isGone = error instanceof RegistryResponseError && error.status === 404;
    try {
      const recovery = await this.#recover(error, state, isUntouched);
      if (recovery.kind === 'restart' && !isGone && recovery.isGone !== true)
        await cancelUpload(this.#upload.repository, state.session);
      return recovery;
    } catch (failure) {
      if (isGone) await forgetUpload(this.#upload);
      else if (canResumeLater(error)) await keepOrCancel(this.#upload, state);
      else await cancelForGood(this.#upload, state.session);
      throw failure;
    }
  }

  async #recover(error: unknown, state: UploadState, isUntouched: boolean): Promise<Recovery> {
    this.#upload.signal?.throwIfAborted();
    if (error instanceof SourceFailure) throw error.failure;
    if (error instanceof TooLargeError) {
      this.#shrink(error);
      return { kind: 'restart' };
    }
    if (state.given === this.#upload.target.size && (await this.#isStoredAfter(error)))
      return { kind: 'done' };
    const isRateLimit = isResponseError(error, 'RATE_LIMITED');
    const askedMs = error instanceof RegistryResponseError ? error.retryAfterMs : undefined;
    const isWorthRetry = isRestartable(error) && (askedMs ?? 0) <= MAX_RETRY_AFTER_MS;
    if (!isWorthRetry || !(await this.#patience.again({ askedMs, isRateLimit }))) throw error;
    this.#noteCut(error, state);
    // A status request or a new session is the last thing that a rate limit allows.
    if (isRateLimit && isUntouched)
      return { kind: 'resume', state: { ...state, given: state.position } };
    if (state.position > 0 && isMiscount(error)) this.#trustsCount = false;
    return mayBeKept(error) && this.#trustsCount ? this.#query(state) : { kind: 'restart' };
  }

  /**
   * True if the registry has the blob, although its response to the last bytes was another one.
   * Nexus refuses the bytes of a blob that another client has just stored.
   */
  async #isStoredAfter(error: unknown): Promise<boolean> {
    const { repository, target, signal } = this.#upload;
    if (!(error instanceof RegistryResponseError) || isResponseError(error, 'RATE_LIMITED'))
      return false;
    try {
      return await blobIsProved(repository, target, { signal });
    } catch (failure) {
      signal?.throwIfAborted();
      if (failure instanceof RegiError) return false;
      throw failure;
    }
  }

  #noteCut(error: unknown, { position, session }: UploadState): void {
    const { repository, target } = this.#upload;
    const { uploadSizes } = repository.connection;
    const isWhole =
      position === 0 && uploadSizes.chunkFor(target.size, session.minimumChunk) === undefined;
    if (!isWhole || !(error instanceof NetworkError) || error.phase === 'connect') return;
    this.#wholeCuts += 1;
    if (this.#wholeCuts === WHOLE_CUTS) uploadSizes.refused(target.size);
  }

  #shrink({ sent, refusal }: TooLargeError): void {
    this.#shrinks += 1;
    if (this.#shrinks > SHRINKS || !this.#upload.repository.connection.uploadSizes.refused(sent))
      throw refusal;
  }

  async #query(state: UploadState): Promise<Recovery> {
    const { repository, target, action, signal } = this.#upload;
    const status = await queryUpload(repository, action, state.session, { signal });
    if (status.kind === 'gone') {
      // A successful PUT ends its session too.
      const isDone =
        state.given === target.size && (await blobExists(repository, target, { signal }));
      return isDone ? { kind: 'done' } : { kind: 'restart', isGone: true };
    }
    // A registry with more bytes than it was given has something else.
    if (status.kind === 'unknown' || status.size > state.given) return { kind: 'restart' };
    this.#patience.reached(status.size);
    const { session, size } = status;
    return { kind: 'resume', state: { session, position: size, given: size } };
  }
}

/** True for failures that another attempt may avoid, such as a wrong digest of proved bytes. */
function isRestartable(error: unknown): boolean {
  if (!(error instanceof RegiError)) return false;
  if (isResponseError(error, 'NOT_FOUND')) return error.method !== 'POST';
  if (isResponseError(error, 'REFUSED'))
    return error.problems.some(({ code }) => code !== undefined && LOST_SESSION.has(code));
  return (
    error.code === 'NETWORK' ||
    error.code === 'TIMEOUT' ||
    error.code === 'SERVER_FAILED' ||
    isResponseError(error, 'RATE_LIMITED')
  );
}

const LOST_SESSION: ReadonlySet<string> = new Set([
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'RANGE_INVALID',
  'SIZE_INVALID',
]);

/**
 * True if the session may have survived: the registry said neither that it is lost nor that its
 * bytes are wrong.
 */
function mayBeKept(error: unknown): boolean {
  if (!(error instanceof RegistryResponseError)) return true;
  return error.status !== 404 && (error.code !== 'REFUSED' || error.status === 416);
}

/** True if the registry found a gap, an overlap, or the wrong bytes. */
function isMiscount(error: unknown): boolean {
  return (
    error instanceof RegistryResponseError && (error.code === 'REFUSED' || error.status === 416)
  );
}

/**
 * True if the next run may succeed: the registry has not said that the bytes are wrong or unwanted.
 */
function canResumeLater(error: unknown): boolean {
  if (error instanceof TooLargeError || isResponseError(error, 'REFUSED')) return false;
  return !(error instanceof SourceFailure && error.failure instanceof ContentMismatchError);
}
