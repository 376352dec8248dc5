import { RegiError } from '../../errors.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { RemoteRepository } from '../remote-repository.ts';
import {
  askUpload,
  cancelUpload,
  type Upload,
  type UploadSession,
  type UploadState,
  type UploadStatus,
} from './session.ts';

/** What is smaller is sent again sooner than it is asked for. */
const SMALLEST_BYTES = 1024 * 1024;
/** For finding out, after Ctrl-C, whether the bytes that were sent are of any use: nobody wants to wait longer. */
const ASK_TIMEOUT_MS = 3000;
/** A registry learns that a request was cut a moment after us. */
const SETTLE_MS = 250;

/** The journal of uploads that are worth remembering; undefined for the others. */
function journalFor(
  { uploads, connection }: RemoteRepository,
  target: Descriptor,
): UploadJournal | undefined {
  return target.size >= SMALLEST_BYTES &&
    connection.uploadSizes.chunkToContinue(target.size) !== undefined
    ? uploads
    : undefined;
}

/** The upload of an earlier run, behind the bytes that the registry has of it; undefined when there is none, or it is of no use any more. */
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
  const status = await ask(repository, action, session, signal);
  signal?.throwIfAborted();
  if (status?.kind === 'kept' && status.size <= target.size)
    return { session: status.session, position: status.size, given: status.size };
  if (status?.kind !== 'gone') await cancelUpload(repository, session);
  await journal?.remove(target);
  return undefined;
}

/** Remembers where an upload goes on, before a byte of it is sent. */
export async function rememberUpload(
  { repository, target }: Upload,
  { session, position }: UploadState,
): Promise<void> {
  await journalFor(repository, target)?.write(target, session.location.url, position);
}

/** An upload that is given up, but may go on later: it stays where the registry keeps what it has, or cannot be asked, and is deleted elsewhere. */
export async function keepOrCancel(upload: Upload, { session, given }: UploadState): Promise<void> {
  const { repository, target, action } = upload;
  const journal = journalFor(repository, target);
  if (journal === undefined || given < SMALLEST_BYTES) return cancelForGood(upload, session);
  const status = await askPatiently(repository, action, session);
  // It goes on where it is known to have begun: the registry is asked again then.
  if (status === undefined) return;
  if (status.kind === 'kept' && status.size <= given)
    return journal.write(target, status.session.location.url, status.size);
  if (status.kind === 'gone') return journal.remove(target);
  return cancelForGood(upload, session);
}

/** An upload that nobody will go on with. */
export async function cancelForGood(upload: Upload, session: UploadSession): Promise<void> {
  await cancelUpload(upload.repository, session);
  await forgetUpload(upload);
}

/** An upload that is finished, or gone; also one whose run was killed before it could say so. */
export async function forgetUpload({
  repository,
  target,
}: Pick<Upload, 'repository' | 'target'>): Promise<void> {
  await journalFor(repository, target)?.remove(target);
}

async function askPatiently(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
): Promise<UploadStatus | undefined> {
  const signal = AbortSignal.timeout(ASK_TIMEOUT_MS);
  const status = await ask(repository, action, session, signal);
  if (status?.kind !== 'unknown') return status;
  await repository.connection.clock.sleep(SETTLE_MS);
  return ask(repository, action, session, signal);
}

/** Undefined when there is no answer, which is no reason to fail: the blob can start again. */
async function ask(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
  signal: AbortSignal | undefined,
): Promise<UploadStatus | undefined> {
  try {
    return await askUpload(repository, action, session, { signal });
  } catch (error) {
    if (!(error instanceof RegiError) && signal?.aborted !== true) throw error;
    return undefined;
  }
}

/** Remembers the uploads of one repository that are not finished, for the next run. It never fails: it only saves bytes. */
export interface UploadJournal {
  /** Where an upload of `target` may go on that an earlier run has left: a URL on the registry's own origin. */
  find(target: Descriptor): Promise<URL | undefined>;
  /** @param offset bytes that the registry was known to have. */
  write(target: Descriptor, location: URL, offset: number): Promise<void>;
  /** `target` is there, or is not to be uploaded any more. */
  remove(target: Descriptor): Promise<void>;
}
