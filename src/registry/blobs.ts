import { discard } from '../http/body.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Bytes, CallOptions, FetchOptions } from '../store.ts';
import { statedSize } from './answer-headers.ts';
import { bodyFrom, isRangeUnusable, rangeFrom, parseContentRange } from './blob-body.ts';
import type { RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';
import { openForeign } from './foreign-blobs.ts';
import {
  blobPath,
  display,
  sendToRead,
  sendToWrite,
  type RemoteRepository,
} from './remote-repository.ts';
import { resuming } from './resuming.ts';

/**
 * Whether a blob is there.
 *
 * @returns false only on a 404.
 * @throws {InvalidResponseError} when it is there with another size than `target` says: one of the two is wrong.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#checking-if-content-exists-in-the-registry
 */
export async function blobExists(
  repository: RemoteRepository,
  target: Descriptor,
  options: CallOptions = {},
): Promise<boolean> {
  const action = `Cannot look for ${display(repository, target.digest)}`;
  const answer = await headOrGet(repository, target.digest, options);
  if (answer.status === 404) {
    await discard(answer);
    return false;
  }
  if (answer.status !== 200 && answer.status !== 206) throw await responseError(action, answer);
  await discard(answer);
  if (isWebPage(answer)) throw invalidResponse(action, answer, 'expected a blob');
  const size = sizeOf(answer);
  // Some servers answer HEAD with the length of the empty body.
  if (size !== undefined && size !== target.size && !(size === 0 && answer.method === 'HEAD')) {
    throw invalidResponse(action, answer, `expected ${target.size} bytes, found ${size}`);
  }
  return true;
}

/**
 * Finds a blob's size by its digest alone. Its media type is only in the manifests that use it, so it is the one for any bytes.
 *
 * @throws {NotFoundError} when it is not there.
 * @throws {InvalidResponseError} when the registry does not say its size.
 */
export async function resolveBlob(
  repository: RemoteRepository,
  digest: Digest,
  options: CallOptions = {},
): Promise<Descriptor> {
  const action = `Cannot resolve ${display(repository, digest)}`;
  const answer = await headOrGet(repository, digest, options);
  if (answer.status !== 200 && answer.status !== 206) throw await responseError(action, answer);
  await discard(answer);
  const size = sizeOf(answer);
  if (isWebPage(answer) || size === undefined)
    throw invalidResponse(action, answer, 'expected the size of a blob');
  return { mediaType: 'application/octet-stream', digest, size };
}

/**
 * Opens a blob. When its connection breaks, reading goes on where it stopped, with a new request to the registry: the storage
 * it redirects to has signed URLs that expire within minutes. A server that cannot do that sends all of it again, of which the start is passed
 * over. The bytes are not verified.
 *
 * A blob with `urls` that the registry does not have is read from those, without credentials.
 *
 * @throws {NotFoundError} while iterating, when it is nowhere.
 * @throws {InvalidResponseError} while iterating, when what the server sends begins elsewhere, range or not.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs
 */
export function fetchBlob(
  repository: RemoteRepository,
  target: Descriptor,
  { offset = 0, signal }: FetchOptions = {},
): Bytes {
  const { clock, retries } = repository.connection;
  const open = (position: number): Promise<Bytes> =>
    openBlob(repository, target, position, { signal });
  return resuming({ open, size: target.size, offset, clock, retries, signal });
}

/**
 * Deletes a blob. Most registries keep this for their own garbage collector.
 *
 * @throws {NotFoundError} when it is not there.
 * @throws {RefusedError} where it is not supported.
 */
export async function deleteBlob(
  repository: RemoteRepository,
  target: Descriptor,
  { signal }: CallOptions = {},
): Promise<void> {
  const response = await sendToWrite(repository, 'DELETE', blobPath(repository, target.digest), {
    signal,
  });
  if (response.status < 200 || response.status > 204)
    throw await responseError(`Cannot delete ${display(repository, target.digest)}`, response);
  await discard(response);
}

/** Size of the whole blob that an answer is of, where it says it. */
function sizeOf(answer: RegistryResponse): number | undefined {
  return answer.status === 206
    ? parseContentRange(answer.headers.get('content-range'))?.total
    : statedSize(answer.headers);
}

async function openBlob(
  repository: RemoteRepository,
  target: Descriptor,
  position: number,
  { signal }: CallOptions,
): Promise<Bytes> {
  const action = `Cannot read ${display(repository, target.digest)}`;
  let response = await askForBlob(repository, target.digest, position, { signal });
  if (position > 0 && isRangeUnusable(response, target, position)) {
    await discard(response);
    response = await askForBlob(repository, target.digest, 0, { signal });
  }
  if (response.status !== 404 || (target.urls ?? []).length === 0)
    return bodyFrom(action, response, target, position);
  const notThere = await responseError(action, response);
  return openForeign(repository.connection, target, position, {
    action,
    notThere,
    registryAddress: response.remoteAddress,
    signal,
  });
}

/** Storage refuses a URL whose signature has expired on the way, as one with a fast clock does always; the registry signs another one. */
async function askForBlob(
  repository: RemoteRepository,
  digest: Digest,
  position: number,
  { signal }: CallOptions,
): Promise<RegistryResponse> {
  const ask = (): Promise<RegistryResponse> =>
    sendToRead(repository, 'GET', blobPath(repository, digest), {
      headers: rangeFrom(position),
      signal,
    });
  const response = await ask();
  if (response.isOwn || (response.status !== 401 && response.status !== 403)) return response;
  await discard(response);
  return ask();
}

async function headOrGet(
  repository: RemoteRepository,
  digest: Digest,
  { signal }: CallOptions,
): Promise<RegistryResponse> {
  const path = blobPath(repository, digest);
  const head = await sendToRead(repository, 'HEAD', path, { signal });
  // Storage that the registry redirects to has a URL signed for GET, and refuses HEAD.
  const isRefusedByStorage =
    head.status >= 400 && head.status !== 404 && head.url.origin !== repository.connection.origin();
  if (!isRefusedByStorage) return head;
  await discard(head);
  return sendToRead(repository, 'GET', path, { headers: { range: 'bytes=0-0' }, signal });
}
