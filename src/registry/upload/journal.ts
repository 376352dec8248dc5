import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { RemoteRepository, UploadJournal } from '../remote-repository.ts';
import {
  queryUpload,
  cancelUpload,
  type Upload,
  type UploadSession,
  type UploadState,
  type UploadStatus,
} from './session.ts';

/** Below this size, re-uploading is cheaper than querying the session. */
const SMALLEST_BYTES = 1024 * 1024;
/** For querying a session after Ctrl-C. */
const QUERY_TIMEOUT_MS = 3000;
/** A registry notices a cut request a moment after us. */
const SETTLE_MS = 250;

/** Returns the journal for an upload that is worth remembering; undefined for others. */
function journalFor(
  { uploads, connection }: RemoteRepository,
  target: Descriptor,
): UploadJournal | undefined {
  return target.size >= SMALLEST_BYTES &&
    connection.uploadSizes.chunkToContinue(target.size) !== undefined
    ? uploads
    : undefined;
}

/** Finds a usable upload of an earlier run, and how many of its bytes the registry has. */
export async function findUnfinished({
  repository,
  target,
  action,
  signal,
}: Upload): Promise<UploadState | undefined> {
  const journal = journalFor(repository, target);
  const url = await journal?.find(target);
  if (url === undefined) return undefined;
  const session: UploadSession = { location: { url, reach: 'any' }, minimumChunk: 0 };
  const status = await query(repository, action, session, signal);
  signal?.throwIfAborted();
  if (status?.kind === 'kept' && status.size <= target.size)
    return { session: status.session, position: status.size, given: status.size };
  if (status?.kind !== 'gone') await cancelUpload(repository, session);
  await journal?.remove(target);
  return undefined;
}

/** Remembers where an upload resumes, before a byte of it is sent. */
export async function rememberUpload(
  { repository, target }: Upload,
  { session, position }: UploadState,
): Promise<void> {
  await journalFor(repository, target)?.write(target, session.location.url, position);
}

/**
 * Keeps a failed upload for a later run if the registry has its bytes, or does not respond; else
 * deletes it.
 */
export async function keepOrCancel(upload: Upload, { session, given }: UploadState): Promise<void> {
  const { repository, target, action } = upload;
  const journal = journalFor(repository, target);
  if (journal === undefined || given < SMALLEST_BYTES) return cancelForGood(upload, session);
  const status = await queryPatiently(repository, action, session);
  // The next run asks the registry again.
  if (status === undefined) return;
  if (status.kind === 'kept' && status.size <= given)
    return journal.write(target, status.session.location.url, status.size);
  if (status.kind === 'gone') return journal.remove(target);
  return cancelForGood(upload, session);
}

/** Deletes an upload that will not be resumed. */
export async function cancelForGood(upload: Upload, session: UploadSession): Promise<void> {
  await cancelUpload(upload.repository, session);
  await forgetUpload(upload);
}

/** Forgets an upload that is finished or gone, also one of a killed run. */
export async function forgetUpload({
  repository,
  target,
}: Pick<Upload, 'repository' | 'target'>): Promise<void> {
  await journalFor(repository, target)?.remove(target);
}

async function queryPatiently(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
): Promise<UploadStatus | undefined> {
  const signal = AbortSignal.timeout(QUERY_TIMEOUT_MS);
  const status = await query(repository, action, session, signal);
  if (status?.kind !== 'unknown') return status;
  await repository.connection.clock.sleep(SETTLE_MS);
  return query(repository, action, session, signal);
}

/** Undefined without a response, which is no reason to fail: the blob can restart. */
async function query(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
  signal: AbortSignal | undefined,
): Promise<UploadStatus | undefined> {
  try {
    return await queryUpload(repository, action, session, { signal });
  } catch (error) {
    if (!(error instanceof RegiError) && signal?.aborted !== true) throw error;
    return undefined;
  }
}
