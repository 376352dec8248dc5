import type { SeekableBytes } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { isPrivateAddress } from '../../http/address.ts';
import { discard } from '../../http/body.ts';
import { NetworkError } from '../../http/errors.ts';
import type { HttpResponse, Reach } from '../../http/message.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { CallOptions } from '../../store.ts';
import type { Connection, RegistryResponse } from '../connection.ts';
import { invalidResponse, responseError } from '../errors.ts';
import {
  type RemoteRepository,
  type RepositoryCall,
  sendToWrite,
  uploadsPath,
} from '../remote-repository.ts';

/** An open upload at the registry. */
export interface UploadSession {
  /** The target of its next request. The query is the session's state. */
  readonly location: UploadPlace;
  /** `OCI-Chunk-Min-Length`: the least size of each chunk but the last. Bytes. */
  readonly minimumChunk: number;
}

/** For cleaning up, also after Ctrl-C. */
const CANCEL_TIMEOUT_MS = 3000;
const NOTHING = new Uint8Array(0);

/**
 * Starts an upload.
 *
 * @throws {RegistryResponseError} with code NOT_FOUND when the registry has no such repository and
 *   creates none.
 * @throws {NotAuthorisedError} when pushing is not allowed.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#post-then-put
 */
export async function startUpload(
  repository: RemoteRepository,
  action: string,
  { signal }: CallOptions = {},
): Promise<UploadSession> {
  const response = await sendToWrite(repository, 'POST', uploadsPath(repository), {
    body: NOTHING,
    signal,
  });
  if (response.status !== 202) throw await responseError(action, response);
  return sessionOf(repository.connection, action, response);
}

/**
 * Reads the session that a response opens.
 *
 * @throws {RegistryResponseError} with code INVALID_RESPONSE without a usable Location.
 */
export async function sessionOf(
  connection: Connection,
  action: string,
  response: RegistryResponse,
): Promise<UploadSession> {
  await discard(response);
  const location = nextLocation(connection, action, response);
  if (location === undefined) throw invalidResponse(action, response, 'expected a Location header');
  const minimum = Number(
    /^\s*(\d{1,15})\s*$/.exec(response.headers.get('oci-chunk-min-length') ?? '')?.[1] ?? 0,
  );
  return { location, minimumChunk: minimum };
}

/** Sends the next chunk, and returns the session for the one after it. */
export async function sendChunk(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
  call: RepositoryCall,
): Promise<UploadSession> {
  const response = await sendToPlace(repository, action, 'PATCH', session.location, {
    ...call,
    headers: { 'content-type': 'application/octet-stream', ...call.headers },
  });
  // ECR responds 201. The Range header is not trusted: ECR's stays at the first chunk, Quay's end
  // is exclusive.
  if (response.status < 200 || response.status > 204) throw await responseError(action, response);
  await discard(response);
  return {
    ...session,
    location: nextLocation(repository.connection, action, response) ?? session.location,
  };
}

/** Ends the upload: with the whole content as `body`, or without one after chunks. */
export async function commitUpload(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
  { digest, ...call }: RepositoryCall & { readonly digest: Digest },
): Promise<RegistryResponse> {
  const place = { ...session.location, url: withDigest(session.location.url, digest) };
  const response = await sendToPlace(repository, action, 'PUT', place, {
    ...call,
    body: call.body ?? NOTHING,
    headers: { 'content-type': 'application/octet-stream' },
  });
  if (response.status < 200 || response.status >= 300) throw await responseError(action, response);
  await discard(response);
  // A proxy that shows its health page says 200 to everything.
  if (response.status !== 201)
    throw invalidResponse(action, response, `expected status 201, found ${response.status}`);
  return response;
}

/** Sends to the Location of an upload; says who named that place when it cannot be reached. */
async function sendToPlace(
  repository: RemoteRepository,
  action: string,
  method: 'GET' | 'PATCH' | 'PUT',
  { url, reach }: UploadPlace,
  call: RepositoryCall,
): Promise<RegistryResponse> {
  const { connection } = repository;
  try {
    return await sendToWrite(repository, method, url, { ...call, reach });
  } catch (error) {
    const isElsewhere = url.origin !== connection.origin();
    if (!isElsewhere || !(error instanceof NetworkError) || error.phase !== 'connect') throw error;
    throw new NetworkError(
      `${action}: "${connection.name}" directs uploads to "${url.origin}": ${error.message}`,
      error,
      {
        hint: 'the registry, or a proxy before it, names itself wrongly: its operator can set its external URL, or forward Host with the port',
        cause: error,
      },
    );
  }
}

/** A registry's report on an interrupted upload. */
export type UploadStatus =
  /** The registry has the first `size` bytes, and the upload resumes in `session`. */
  | { readonly kind: 'kept'; readonly session: UploadSession; readonly size: number }
  /** The upload has ended: by a successful PUT, or at registry 2.8 and zot by any cut request. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknown' };

/**
 * Asks how many bytes of an upload have arrived. The response is only a claim: some registries
 * count one byte too many.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
export async function queryUpload(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
  { signal }: CallOptions,
): Promise<UploadStatus> {
  const response = await sendToPlace(repository, action, 'GET', session.location, { signal });
  await discard(response);
  if (response.status === 404) return { kind: 'gone' };
  // `0-0` stands for no byte as well as for one.
  const last = /^\s*(?:bytes\s*=\s*)?0-([1-9]\d{0,15})\s*$/i.exec(
    response.headers.get('range') ?? '',
  )?.[1];
  if (last === undefined || response.status < 200 || response.status > 204)
    return { kind: 'unknown' };
  // Quay names no Location here.
  const location = nextLocation(repository.connection, action, response) ?? session.location;
  return { kind: 'kept', session: { ...session, location }, size: Number(last) + 1 };
}

/**
 * Deletes an upload: unused sessions stay on the registry's disk for days. Never throws, and takes
 * no signal, because it also cleans up after a cancel.
 */
export async function cancelUpload(
  repository: RemoteRepository,
  { location: { url, reach } }: UploadSession,
): Promise<void> {
  try {
    const signal = AbortSignal.timeout(CANCEL_TIMEOUT_MS);
    await discard(await sendToWrite(repository, 'DELETE', url, { reach, signal }));
  } catch (error) {
    // A courtesy only: registries clean up eventually, and the first error is the one to report.
    if (!(error instanceof RegiError) && !isTimeout(error)) throw error;
  }
}

/**
 * Appends text: another form of the query, such as `+` for `%20`, may break the registry's
 * signature.
 */
function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

function nextLocation(
  connection: Connection,
  action: string,
  response: RegistryResponse,
): UploadPlace | undefined {
  const text = response.headers.get('location')?.trim() ?? '';
  if (text === '') return undefined;
  if (!URL.canParse(text, response.url.href))
    throw invalidResponse(action, response, 'expected a URL in its Location header');
  const place = uploadPlace(text, response, connection.origin() ?? response.url.origin);
  if (place === undefined)
    throw invalidResponse(
      action,
      response,
      'expected an upload by https, or by http as the registry itself, and no user in its Location header',
    );
  return place;
}

function isTimeout(error: unknown): boolean {
  return (
    error instanceof DOMException && (error.name === 'TimeoutError' || error.name === 'AbortError')
  );
}

/** A blob and its destination. */
export interface Upload {
  readonly repository: RemoteRepository;
  readonly target: Descriptor;
  /** Verified for `target`. */
  readonly content: SeekableBytes;
  readonly action: string;
  readonly signal: AbortSignal | undefined;
}

/** The progress of an upload in its session. */
export interface UploadState {
  session: UploadSession;
  /** Bytes that the registry had when this attempt began, by its own count. */
  readonly position: number;
  /** End of the bytes that were sent: the registry cannot have more. */
  given: number;
}

/** The target of an upload's next request. */
export interface UploadPlace {
  readonly url: URL;
  readonly reach: Reach;
}

/**
 * Reads the Location of an upload; undefined when nothing may be sent there. It may be relative, or
 * on another host, which gets no credentials.
 *
 * Registries behind a proxy that ends TLS use http URLs for themselves and mean their https origin.
 * Other hosts get the bytes by http only if the registry itself uses http. A public registry never
 * directs them into our own network.
 *
 * @param origin origin of the registry.
 * @throws {TypeError} when it is no URL.
 */
export function uploadPlace(
  text: string,
  response: HttpResponse,
  origin: string,
): UploadPlace | undefined {
  const own = new URL(origin);
  const url = new URL(text, response.url);
  if (
    url.username !== '' ||
    url.password !== '' ||
    (url.protocol !== 'https:' && url.protocol !== 'http:')
  )
    return undefined;
  if (url.protocol === 'http:' && own.protocol === 'https:') {
    return url.hostname === own.hostname
      ? { url: new URL(`${url.pathname}${url.search}`, own), reach: 'any' }
      : undefined;
  }
  const isPublic =
    response.remoteAddress !== undefined && !isPrivateAddress(response.remoteAddress);
  return { url, reach: url.origin !== own.origin && isPublic ? 'public' : 'any' };
}
