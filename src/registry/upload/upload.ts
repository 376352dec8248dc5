import { verified } from '../../bytes.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes, CallOptions } from '../../store.ts';
import type { RegistryResponse } from '../connection.ts';
import { isResponseError, isTooLarge } from '../errors.ts';
import { display, type RemoteRepository } from '../remote-repository.ts';
import { checkDigest, statedDigest } from '../response-headers.ts';
import { ContentParts, UploadContent } from './content.ts';
import { findUnfinished, forgetUpload, rememberUpload } from './journal.ts';
import { SourceFailure, TooLargeError, UploadRecovery } from './recovery.ts';
import {
  cancelUpload,
  commitUpload,
  sendChunk,
  startUpload,
  type Upload,
  type UploadSession,
  type UploadState,
} from './session.ts';

export interface UploadOptions extends CallOptions {
  /** A session that is already open, such as that of a refused mount. */
  readonly session?: UploadSession | undefined;
  /** The content for the first attempt, opened ahead. */
  readonly opened?: UploadContent | undefined;
}

/**
 * Uploads a blob: all of it in one PUT, or in chunks where the user or the registry wants that.
 *
 * After a failure of the registry or the network it resumes behind the bytes that the registry has.
 * registry 2.8 and zot forget a session after any cut request: there the blob restarts. A failed
 * upload stays at the registry for the next run if the registry keeps its bytes and the repository
 * has a journal; otherwise it is deleted.
 *
 * @throws {ContentMismatchError} when `content` does not match `target`; the registry has not kept
 *   it.
 * @throws {RegiError} with code CONTENT_MISMATCH when the registry says that it kept something
 *   else.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs
 */
export async function uploadBlob(
  repository: RemoteRepository,
  target: Descriptor,
  content: Bytes,
  options: UploadOptions = {},
): Promise<void> {
  const { session, signal } = options;
  const action = `Cannot upload ${display(repository, target.digest)}`;
  const upload: Upload = { repository, target, content: verified(content, target), action, signal };
  const recovery = new UploadRecovery(upload);
  const unfinished = await findUnfinished(upload);
  if (unfinished !== undefined && session !== undefined) await cancelUpload(repository, session);
  let waiting = unfinished ?? (session && startOf(session));
  // The first bytes of the content arrive while the registry opens the session.
  let opened =
    unfinished === undefined
      ? (options.opened ?? new UploadContent(upload.content, target).openAhead())
      : undefined;
  try {
    for (;;) {
      const state = waiting ?? startOf(await startUpload(repository, action, { signal }));
      const { session: begun } = state;
      try {
        await rememberUpload(upload, state);
        await attempt(upload, state, opened);
        break;
      } catch (error) {
        const next = await recovery.after(error, state, state.session === begun);
        if (next.kind === 'done') break;
        waiting = next.kind === 'resume' ? next.state : undefined;
        opened = undefined;
      }
    }
  } finally {
    opened?.close();
  }
  await forgetUpload(upload);
}

function startOf(session: UploadSession): UploadState {
  return { session, position: 0, given: 0 };
}

/** Sends the bytes that the registry lacks. Afterwards the state has the session to resume with. */
async function attempt(
  upload: Upload,
  state: UploadState,
  opened: UploadContent | undefined,
): Promise<void> {
  const { repository, target, action } = upload;
  const source = opened ?? new UploadContent(upload.content, target, state.position);
  const left = target.size - state.position;
  const { uploadSizes } = repository.connection;
  const { minimumChunk } = state.session;
  const chunkSize =
    state.position === 0
      ? uploadSizes.chunkFor(left, minimumChunk)
      : (uploadSizes.chunkToContinue(left, minimumChunk) ?? left);
  try {
    const response = await (chunkSize === undefined
      ? sendWhole(upload, state.session, source)
      : sendInChunks(upload, state, source, chunkSize));
    checkDigest(action, target.digest, statedDigest(action, response));
  } catch (error) {
    state.given = source.position;
    if (source.failure !== undefined) throw new SourceFailure(source.failure.error);
    if (isResponseError(error, 'REFUSED') && isTooLarge(error.status, error.problems))
      throw new TooLargeError(chunkSize ?? target.size, error);
    throw error;
  }
}

async function sendWhole(
  { repository, target, action, signal }: Upload,
  session: UploadSession,
  content: Bytes,
): Promise<RegistryResponse> {
  const { digest, size } = target;
  const body = size === 0 ? await drained(content) : { content, size };
  return commitUpload(repository, action, session, { digest, body, signal });
}

async function sendInChunks(
  upload: Upload,
  state: UploadState,
  content: Bytes,
  chunkSize: number,
): Promise<RegistryResponse> {
  const { repository, target, action, signal } = upload;
  const parts = new ContentParts(content);
  try {
    for (let sent = state.position; sent < target.size; sent += chunkSize) {
      const size = Math.min(chunkSize, target.size - sent);
      state.session = await sendChunk(repository, action, state.session, {
        // No "bytes " and no "/total": Azure answers 400 to either.
        headers: { 'content-range': `${sent}-${sent + size - 1}` },
        body: { content: parts.take(size), size },
        signal,
      });
      await rememberUpload(upload, { ...state, position: sent + size });
    }
    // The registry had all bytes, by its own count: the content still has to be proved.
    if (state.position === target.size) await drained(content);
    return await commitUpload(repository, action, state.session, { digest: target.digest, signal });
  } finally {
    await parts.close();
  }
}

/** Proves content that has no bytes left to give. */
async function drained(content: Bytes): Promise<Uint8Array> {
  for await (const chunk of content)
    if (chunk.byteLength > 0)
      throw new Error('Content was proved to be at its end, and has more bytes');
  return new Uint8Array(0);
}
