import { verified } from '../../bytes.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes, CallOptions } from '../../store.ts';
import { contradicts, statedDigest } from '../answer-headers.ts';
import type { RegistryResponse } from '../connection.ts';
import { ContentParts } from './content-parts.ts';
import { RefusedError, WrongDigestError } from '../errors.ts';
import { openAhead, type OpenedAhead, proved, watched } from './content.ts';
import { display, type RemoteRepository } from '../remote-repository.ts';
import { SourceFailure, TooLargeError, UploadRecovery } from './recovery.ts';
import { findUnfinished, forgetUpload, rememberUpload } from './journal.ts';
import {
  cancelUpload,
  commitUpload,
  sendChunk,
  startUpload,
  type UploadSession,
  type Upload,
  type UploadState,
} from './session.ts';

export interface UploadOptions extends CallOptions {
  /** A session that is open already, such as that of a mount which was not done. */
  readonly session?: UploadSession | undefined;
  /** The proved content, to be taken at the first attempt. */
  readonly opened?: OpenedAhead | undefined;
}

/**
 * Uploads a blob: all of it in one PUT, or in chunks where the user or the registry wants that. After a failure of the registry or
 * the network it goes on behind the bytes that the registry says it has; where it has none, as registry 2.8 and zot forget a session
 * of which any request was cut, the blob starts again from its first byte. An upload that is given up stays where the registry keeps what it
 * has and the repository has a journal, so that the next run goes on with it; elsewhere it is deleted.
 *
 * @throws {ContentMismatchError} when `content` is not what `target` says; the registry has not kept it.
 * @throws {WrongDigestError} when the registry says that it kept something else.
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
  // The content's first bytes come while the registry opens the session.
  let opened: OpenedAhead | undefined =
    unfinished === undefined
      ? (options.opened ?? openAhead(proved(upload.content, target)))
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
        waiting = next.kind === 'go-on' ? next.state : undefined;
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

/** Sends what the registry does not have. The state's session is the one to go on with, whatever happens. */
async function attempt(
  upload: Upload,
  state: UploadState,
  opened: OpenedAhead | undefined,
): Promise<void> {
  const { repository, target } = upload;
  const source = watched(
    opened?.content ?? proved(upload.content, target, state.position),
    state.position,
  );
  const left = target.size - state.position;
  const { uploadSizes } = repository.connection;
  const { minimumChunk } = state.session;
  const chunkSize =
    state.position === 0
      ? uploadSizes.chunkFor(left, minimumChunk)
      : (uploadSizes.chunkToContinue(left, minimumChunk) ?? left);
  try {
    const answer = await (chunkSize === undefined
      ? sendWhole(upload, state.session, source.content)
      : sendInChunks(upload, state, source.content, chunkSize));
    checkDigest(upload, answer);
  } catch (error) {
    state.given = source.position();
    const failure = source.failure();
    if (failure !== undefined) throw new SourceFailure(failure.error);
    if (error instanceof RefusedError && error.status === 413)
      throw new TooLargeError(chunkSize ?? target.size, error);
    throw error;
  }
}

async function sendWhole(
  { repository, target, action, signal }: Upload,
  session: UploadSession,
  content: Bytes,
): Promise<RegistryResponse> {
  const body = target.size === 0 ? await drained(content) : { content, size: target.size };
  return commitUpload(repository, action, session, { digest: target.digest, body, signal });
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
      // No "bytes " and no "/total": Azure answers 400 to either.
      const headers = { 'content-range': `${sent}-${sent + size - 1}` };
      state.session = await sendChunk(repository, action, state.session, {
        headers,
        body: { content: parts.take(size), size },
        signal,
      });
      await rememberUpload(upload, { ...state, position: sent + size });
    }
    // The registry had all of it, which proves nothing: the bytes are its own count.
    if (state.position === target.size) await drained(content);
    return await commitUpload(repository, action, state.session, { digest: target.digest, signal });
  } finally {
    await parts.close();
  }
}

/** Proves content that has nothing left to give. */
async function drained(content: Bytes): Promise<Uint8Array> {
  for await (const chunk of content)
    if (chunk.byteLength > 0)
      throw new Error('Content was proved to be at its end, and has more bytes');
  return new Uint8Array(0);
}

function checkDigest({ action, target }: Upload, answer: RegistryResponse): void {
  const stated = statedDigest(action, answer);
  if (stated !== undefined && contradicts(target.digest, stated))
    throw new WrongDigestError(action, target.digest, stated);
}
