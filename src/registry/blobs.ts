import { discard } from '../http/body.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isForeignLayerType } from '../oci/media-types.ts';
import type { Bytes, CallOptions, FetchOptions } from '../store.ts';
import {
  bodyFrom,
  isRangeUnusable,
  openForeign,
  parseContentRange,
  rangeFrom,
  resuming,
} from './blob-body.ts';
import type { RegistryResponse } from './connection.ts';
import {
  invalidResponse,
  isResponseError,
  isWebPage,
  RegistryResponseError,
  responseError,
} from './errors.ts';
import {
  blobPath,
  display,
  sendToRead,
  sendToWrite,
  type RemoteRepository,
} from './remote-repository.ts';
import { statedSize } from './response-headers.ts';

/**
 * True if a blob exists; false only on a 404.
 *
 * @throws {RegistryResponseError} with code INVALID_RESPONSE when its size differs from that of
 *   `target`.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#checking-if-content-exists-in-the-registry
 */
export async function blobExists(
  repository: RemoteRepository,
  target: Descriptor,
  options: CallOptions = {},
): Promise<boolean> {
  const action = `Cannot look for ${display(repository, target.digest)}`;
  const response = await headOrGet(repository, target.digest, options);
  if (response.status === 404) {
    await discard(response);
    return false;
  }
  if (response.status !== 200 && response.status !== 206)
    throw await responseError(action, response);
  await discard(response);
  if (isWebPage(response)) throw invalidResponse(action, response, 'expected a blob');
  const size = sizeOf(response);
  // Some servers respond to HEAD with the length of the empty body.
  if (size !== undefined && size !== target.size && !(size === 0 && response.method === 'HEAD'))
    throw invalidResponse(action, response, `expected ${target.size} bytes, found ${size}`);
  return true;
}

/**
 * True if a response shows that the registry has that blob: it states its digest or its size. A
 * status alone proves nothing after an odd response, which a proxy may have sent.
 */
export async function blobIsProved(
  repository: RemoteRepository,
  target: Descriptor,
  options: CallOptions = {},
): Promise<boolean> {
  const response = await headOrGet(repository, target.digest, options);
  await discard(response);
  if ((response.status !== 200 && response.status !== 206) || isWebPage(response)) return false;
  return (
    response.headers.get('docker-content-digest') === target.digest ||
    sizeOf(response) === target.size
  );
}

/**
 * Finds the size of a blob by its digest alone. Its media type is known only to the manifests that
 * use it, so the result has the general one for bytes.
 *
 * @throws {RegistryResponseError} with code NOT_FOUND when it does not exist, INVALID_RESPONSE when
 *   the registry does not state its size.
 */
export async function resolveBlob(
  repository: RemoteRepository,
  digest: Digest,
  options: CallOptions = {},
): Promise<Descriptor> {
  const action = `Cannot resolve ${display(repository, digest)}`;
  const response = await headOrGet(repository, digest, options);
  if (response.status !== 200 && response.status !== 206)
    throw await responseError(action, response);
  await discard(response);
  const size = sizeOf(response);
  if (isWebPage(response) || size === undefined)
    throw invalidResponse(action, response, 'expected the size of a blob');
  return { mediaType: 'application/octet-stream', digest, size };
}

/**
 * Opens a blob. After a cut it resumes with a new request to the registry, because the signed URLs
 * of its storage expire within minutes. A server without ranges sends the whole again, of which the
 * known part is skipped. The bytes are not verified.
 *
 * With `followsUrls` a foreign layer that the registry lacks is read at its `urls`, see
 * `openForeign()`.
 *
 * @throws {RegistryResponseError} while iterating, with code NOT_FOUND when it does not exist, or
 *   INVALID_RESPONSE when the server sends other bytes than requested.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs
 */
export function fetchBlob(
  repository: RemoteRepository,
  target: Descriptor,
  { offset = 0, followsUrls, signal }: FetchOptions = {},
): Bytes {
  const { clock, retries } = repository.connection;
  const open = (position: number): Promise<Bytes> =>
    openBlob(repository, target, position, { followsUrls, signal });
  return resuming({ open, size: target.size, offset, clock, retries, signal });
}

/**
 * Deletes a blob. Most registries leave this to their own garbage collector.
 *
 * @throws {RegistryResponseError} with code NOT_FOUND when it does not exist, REFUSED where
 *   deleting is not supported.
 */
export async function deleteBlob(
  repository: RemoteRepository,
  target: Descriptor,
  { signal }: CallOptions = {},
): Promise<void> {
  const action = `Cannot delete ${display(repository, target.digest)}`;
  const path = blobPath(repository, target.digest);
  const response = await sendToWrite(repository, 'DELETE', path, { signal });
  if (response.status < 200 || response.status > 204) throw await responseError(action, response);
  await discard(response);
  // 202 by the specification. A proxy that shows its health page says 200 to everything.
  if (response.status !== 202 && (await blobExists(repository, target, { signal })))
    throw invalidResponse(action, response, `expected status 202, found ${response.status}`);
}

/** Reads the size of the whole blob from a response to a HEAD or a range. */
function sizeOf({ status, headers }: RegistryResponse): number | undefined {
  return status === 206
    ? parseContentRange(headers.get('content-range'))?.total
    : statedSize(headers);
}

async function openBlob(
  repository: RemoteRepository,
  target: Descriptor,
  position: number,
  { followsUrls = false, signal }: FetchOptions,
): Promise<Bytes> {
  const action = `Cannot read ${display(repository, target.digest)}`;
  let response = await getBlob(repository, target.digest, position, { signal });
  if (position > 0 && isRangeUnusable(response, target, position)) {
    await discard(response);
    response = await getBlob(repository, target.digest, 0, { signal });
  }
  if (response.status !== 404 || (target.urls ?? []).length === 0)
    return bodyFrom(action, response, target, position);
  const error = await responseError(action, response);
  if (!isResponseError(error, 'NOT_FOUND')) throw error;
  const isForeign = isForeignLayerType(target.mediaType);
  const notFound = new RegistryResponseError('NOT_FOUND', error.message, error, {
    hint: isForeign
      ? 'its content is at its own URLs; regi copy --foreign-layers copy carries it from there'
      : 'its manifest names URLs for it, which are never used: only foreign layers may be elsewhere',
    cause: error,
  });
  if (!isForeign || !followsUrls) throw notFound;
  return openForeign(repository.connection, target, position, { action, notFound, signal });
}

/**
 * Sends the request twice if the storage refuses the first signed URL: it may have expired on the
 * way, or the storage has a fast clock. The registry signs a new one.
 */
async function getBlob(
  repository: RemoteRepository,
  digest: Digest,
  position: number,
  { signal }: CallOptions,
): Promise<RegistryResponse> {
  const headers = rangeFrom(position);
  const path = blobPath(repository, digest);
  const response = await sendToRead(repository, 'GET', path, { headers, signal });
  if (response.isOwn || (response.status !== 401 && response.status !== 403)) return response;
  await discard(response);
  return sendToRead(repository, 'GET', path, { headers, signal });
}

async function headOrGet(
  repository: RemoteRepository,
  digest: Digest,
  { signal }: CallOptions,
): Promise<RegistryResponse> {
  const path = blobPath(repository, digest);
  const head = await sendToRead(repository, 'HEAD', path, { signal });
  // Storage refuses HEAD for a URL that is signed for GET.
  const isRefusedByStorage =
    head.status >= 400 && head.status !== 404 && head.url.origin !== repository.connection.origin();
  if (!isRefusedByStorage) return head;
  await discard(head);
  return sendToRead(repository, 'GET', path, { headers: { range: 'bytes=0-0' }, signal });
}
