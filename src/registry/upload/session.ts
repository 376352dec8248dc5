import type { SeekableBytes } from '../../bytes.ts';
import { RegiError } from '../../errors.ts';
import { isPrivateAddress } from '../../http/address.ts';
import { discard } from '../../http/body.ts';
import type { HttpResponse } from '../../http/message.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import type { CallOptions } from '../../store.ts';
import type { Connection, RegistryResponse } from '../connection.ts';
import { invalidResponse, responseError } from '../errors.ts';
import {
  type RemoteRepository,
  type RepositoryCall,
  scopesToWrite,
  sendToWrite,
  uploadsPath,
} from '../remote-repository.ts';

/** An upload that the registry waits for. */
export interface UploadSession {
  /** Where the next request of it goes. Its query is the session's state. */
  readonly location: UploadPlace;
  /** `OCI-Chunk-Min-Length`: what each chunk but the last must have at least. Bytes. */
  readonly minimumChunk: number;
}

/** For cleaning up, also after Ctrl-C: nobody wants to wait longer. */
const CANCEL_TIMEOUT_MS = 3000;
const NOTHING = new Uint8Array(0);

/**
 * Starts an upload.
 *
 * @throws {NotFoundError} when the registry has no such repository and makes none.
 * @throws {NotAuthorisedError} when we may not push.
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
 * The session that an answer opens.
 *
 * @throws {InvalidResponseError} when the answer does not say where it is.
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

/** Sends the next chunk, and returns the session where it goes on. */
export async function sendChunk(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
  call: RepositoryCall,
): Promise<UploadSession> {
  const response = await sendTo(repository, 'PATCH', session.location, {
    ...call,
    headers: { 'content-type': 'application/octet-stream', ...call.headers },
  });
  // ECR answers 201. What the Range of the answer says is not believed: ECR's stays at the first chunk, Quay's end is exclusive.
  if (response.status < 200 || response.status > 204) throw await responseError(action, response);
  await discard(response);
  return {
    ...session,
    location: nextLocation(repository.connection, action, response) ?? session.location,
  };
}

/** Ends the upload: with all of the content as `body`, or with nothing after chunks. The answer is the registry's proof. */
export async function commitUpload(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
  { digest, ...call }: RepositoryCall & { readonly digest: Digest },
): Promise<RegistryResponse> {
  const response = await sendTo(repository, 'PUT', withDigest(session.location, digest), {
    ...call,
    body: call.body ?? NOTHING,
    headers: { 'content-type': 'application/octet-stream' },
  });
  if (response.status !== 201 && response.status !== 200 && response.status !== 204)
    throw await responseError(action, response);
  await discard(response);
  return response;
}

/** What a registry says of an upload that broke off. */
export type UploadStatus =
  /** The first `size` bytes are there, and the upload goes on in `session`. */
  | { readonly kind: 'kept'; readonly session: UploadSession; readonly size: number }
  /** There is no such upload any more: registry 2.8 and zot end one of which any request was cut, and so does a PUT that was done. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknown' };

/**
 * Asks how much of an upload has arrived. What it answers is a claim: registries are known that count one byte too many.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
export async function askUpload(
  repository: RemoteRepository,
  action: string,
  session: UploadSession,
  { signal }: CallOptions,
): Promise<UploadStatus> {
  const response = await sendTo(repository, 'GET', session.location, { signal });
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
 * Tells the registry that nobody will finish the upload: unused sessions stay on its disk for days. Never throws, and takes no
 * signal, because it also cleans up after a cancel.
 */
export async function cancelUpload(
  repository: RemoteRepository,
  { location }: UploadSession,
): Promise<void> {
  try {
    const signal = AbortSignal.timeout(CANCEL_TIMEOUT_MS);
    await discard(await sendTo(repository, 'DELETE', location, { signal }));
  } catch (error) {
    // Courtesy only: registries clean up by themselves in the end, and why we are here is the error that counts.
    if (!(error instanceof RegiError) && !isTimeout(error)) throw error;
  }
}

/** Appended as text: another form of the query, such as `+` for `%20`, may no longer be what the registry signed. */
function withDigest({ url: location, reach }: UploadPlace, digest: Digest): UploadPlace {
  const url = new URL(location);
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return { url, reach };
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

async function sendTo(
  repository: RemoteRepository,
  method: 'DELETE' | 'GET' | 'PATCH' | 'PUT',
  { url, reach }: UploadPlace,
  call: RepositoryCall,
): Promise<RegistryResponse> {
  const { connection, name } = repository;
  return connection.sendTo(method, url, {
    ...call,
    reach,
    scopes: scopesToWrite(repository),
    repository: name,
  });
}

/** What to upload and where. */
export interface Upload {
  readonly repository: RemoteRepository;
  readonly target: Descriptor;
  /** Verified for `target`. */
  readonly content: SeekableBytes;
  readonly action: string;
  readonly signal: AbortSignal | undefined;
}

/** How far an upload has come in its session. */
export interface UploadState {
  session: UploadSession;
  /** Bytes that the registry said it had when this attempt began. */
  readonly position: number;
  /** The last byte that was given away, and so the most that the registry can have. */
  given: number;
}

/** Where an upload goes on. */
export interface UploadPlace {
  readonly url: URL;
  readonly reach: 'any' | 'public';
}

/**
 * Reads the Location of an upload; undefined when nothing may be sent there. It may be relative, and on another host, which gets
 * no credentials.
 *
 * Registries behind a proxy that ends TLS name themselves by http: their own https origin is meant. To other hosts the bytes go by
 * http only where the registry itself is reached so, and from a public registry never into our own network.
 *
 * @param origin of the registry.
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
