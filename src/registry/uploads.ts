import { RegiError } from '../errors.ts';
import { backoffMs, MAX_RETRY_AFTER_MS } from '../http/retry.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes, CallOptions } from '../store.ts';
import { contradicts, statedDigest } from './answer-headers.ts';
import type { RegistryResponse } from './connection.ts';
import { ContentParts } from './content-parts.ts';
import { NotFoundError, RateLimitedError, RefusedError, RegistryAnswerError } from './errors.ts';
import { proved, watched } from './proved-content.ts';
import { display, type RemoteRepository } from './remote-repository.ts';
import { cancelUpload, commitUpload, sendChunk, startUpload, type UploadSession } from './upload-session.ts';
import { WrongDigestError } from './wrong-digest.ts';

export interface UploadOptions extends CallOptions {
  /** A session that is open already, such as that of a mount which was not done. */
  readonly session?: UploadSession | undefined;
}

/** What to upload and where. */
interface Upload {
  readonly repository: RemoteRepository;
  readonly target: Descriptor;
  readonly action: string;
  readonly signal: AbortSignal | undefined;
}

/** Requests that are too large may shrink this often; halving from gigabytes to nothing takes fewer. */
const SHRINKS = 12;

/**
 * Uploads a blob: all of it in one PUT, or in chunks where the user or the registry wants that. After a failure of the registry or
 * the network the blob starts again from its first byte, because registry 2.8 and zot forget a session of which any request was
 * cut. Sessions that are not finished are deleted.
 *
 * @throws {ContentMismatchError} when `content` is not what `target` says; the registry has not kept it.
 * @throws {WrongDigestError} when the registry says that it kept something else.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs
 */
export async function uploadBlob(repository: RemoteRepository, target: Descriptor, content: Bytes, { session, signal }: UploadOptions = {}): Promise<void> {
  const { clock, retries, uploadSizes } = repository.connection;
  const upload: Upload = { repository, target, action: `Cannot upload ${display(repository, target.digest)}`, signal };
  let waiting = session;
  let failures = 0;
  let shrinks = 0;
  for (;;) {
    const current = waiting ?? (await startUpload(repository, upload.action, { signal }));
    waiting = undefined;
    try {
      return await attempt(upload, current, content);
    } catch (error) {
      if (error instanceof TooLargeError) {
        shrinks += 1;
        if (shrinks > SHRINKS || !uploadSizes.refused(error.sent)) throw error.refusal;
        continue;
      }
      if (!isRestartable(error) || failures >= retries) throw error;
      const asked = error instanceof RegistryAnswerError ? error.retryAfterMs : undefined;
      if (asked !== undefined && asked > MAX_RETRY_AFTER_MS) throw error;
      await clock.sleep(asked ?? backoffMs(failures, clock), signal);
      failures += 1;
    }
  }
}

/** A body was too large for the registry or a proxy before it. Not for callers. */
class TooLargeError extends Error {
  /** Size of the body. Bytes. */
  readonly sent: number;
  readonly refusal: RefusedError;

  constructor(sent: number, refusal: RefusedError) {
    super(refusal.message);
    this.sent = sent;
    this.refusal = refusal;
  }
}

async function attempt(upload: Upload, session: UploadSession, content: Bytes): Promise<void> {
  const { repository, target, signal } = upload;
  const source = watched(proved(content, target));
  const state = { session };
  const chunkSize = repository.connection.uploadSizes.chunkFor(target.size, session.minimumChunk);
  try {
    const answer = await (chunkSize === undefined ? sendWhole(upload, state.session, source.content) : sendInChunks(upload, state, source.content, chunkSize));
    checkDigest(upload, answer);
  } catch (error) {
    if (!isGone(error)) await cancelUpload(repository, state.session);
    signal?.throwIfAborted();
    const failure = source.failure();
    if (failure !== undefined) throw failure.error;
    if (error instanceof RefusedError && error.status === 413) throw new TooLargeError(chunkSize ?? target.size, error);
    throw error;
  }
}

async function sendWhole({ repository, target, action, signal }: Upload, session: UploadSession, content: Bytes): Promise<RegistryResponse> {
  const body = target.size === 0 ? await drained(content) : { content, size: target.size };
  return commitUpload(repository, action, session, { digest: target.digest, body, signal });
}

async function sendInChunks(upload: Upload, state: { session: UploadSession }, content: Bytes, chunkSize: number): Promise<RegistryResponse> {
  const { repository, target, action, signal } = upload;
  const parts = new ContentParts(content);
  try {
    for (let sent = 0; sent < target.size; sent += chunkSize) {
      const size = Math.min(chunkSize, target.size - sent);
      // No "bytes " and no "/total": Azure answers 400 to either.
      const headers = { 'content-range': `${sent}-${sent + size - 1}` };
      state.session = await sendChunk(repository, action, state.session, { headers, body: { content: parts.take(size), size }, signal });
    }
    return await commitUpload(repository, action, state.session, { digest: target.digest, signal });
  } finally {
    await parts.close();
  }
}

/** Proves that content of no bytes has none. */
async function drained(content: Bytes): Promise<Uint8Array> {
  for await (const chunk of content) if (chunk.byteLength > 0) throw new Error('Content of 0 bytes was proved, and has some');
  return new Uint8Array(0);
}

function checkDigest({ action, target }: Upload, answer: RegistryResponse): void {
  const stated = statedDigest(action, answer);
  if (stated !== undefined && contradicts(target.digest, stated)) throw new WrongDigestError(action, target.digest, stated);
}

/** Whether the session itself is what is not there. */
function isGone(error: unknown): boolean {
  return error instanceof RegistryAnswerError && error.status === 404;
}

/** Failures that a new session may not have. A registry that misses the right digest of proved bytes got others on the way. */
function isRestartable(error: unknown): boolean {
  if (!(error instanceof RegiError)) return false;
  if (error.code === 'NETWORK' || error.code === 'TIMEOUT' || error.code === 'SERVER_FAILED') return true;
  if (error instanceof NotFoundError) return error.method !== 'POST';
  if (error instanceof RateLimitedError) return true;
  return error instanceof RefusedError && error.problems.some(({ code }) => code !== undefined && LOST_SESSION.has(code));
}

const LOST_SESSION: ReadonlySet<string> = new Set(['BLOB_UPLOAD_INVALID', 'BLOB_UPLOAD_UNKNOWN', 'DIGEST_INVALID', 'RANGE_INVALID', 'SIZE_INVALID']);
