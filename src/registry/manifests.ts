import { discard, readAtMost } from '../http/body.ts';
import { askAgain } from '../http/retry.ts';
import { LIMITS } from '../limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from '../oci/digest.ts';
import { childrenOf, parseManifest } from '../oci/manifest.ts';
import {
  essence,
  isForeignLayerType,
  isManifestType,
  MANIFEST_ACCEPT,
  MEDIA_TYPE,
} from '../oci/media-types.ts';
import type { CallOptions } from '../store.ts';
import { contradicts, statedDigest, statedSize } from './answer-headers.ts';
import type { RegistryResponse } from './connection.ts';
import {
  invalidResponse,
  isWebPage,
  RefusedError,
  responseError,
  type ResponseError,
  ServerFailedError,
  WrongDigestError,
} from './errors.ts';
import {
  display,
  manifestPath,
  type RemoteRepository,
  sendToRead,
  sendToWrite,
} from './remote-repository.ts';

/** A manifest with the bytes that its digest is of. */
export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** What a registry says of a manifest that it took. */
export interface PutManifestAnswer {
  /** The subject, when the registry lists the manifest among its referrers by itself. */
  readonly subject: string | undefined;
  /** Of the tags asked for in the same request, those that were given: registries that do not know the parameter ignore it. */
  readonly tags: readonly string[];
}

export interface PutManifestOptions extends CallOptions {
  /** To be given in the same step, where `reference` is a digest. Checked. */
  readonly tag?: string | undefined;
}

/** Statuses by which servers and firewalls refuse the method, or say nothing of the reason because HEAD has no body. */
const HEAD_REFUSED: ReadonlySet<number> = new Set([400, 403, 405, 406, 415, 501]);

/**
 * Finds what a tag or digest names.
 *
 * Asks with HEAD, which Docker Hub does not count as a pull. The headers it needs are only a SHOULD there (spec 1.1): without
 * them, or where HEAD is refused, the manifest itself is read and hashed.
 *
 * @param reference a tag or digest, checked.
 * @throws {NotFoundError} when the registry has no such reference.
 * @throws {WrongDigestError} when the registry names another digest than the one asked for.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#checking-if-content-exists-in-the-registry
 */
export async function resolveManifest(
  repository: RemoteRepository,
  reference: string,
  options: CallOptions = {},
): Promise<Descriptor> {
  const action = `Cannot resolve ${display(repository, reference)}`;
  const head = await send(repository, 'HEAD', reference, options);
  // A 401 is asked for its reason too: Harbor's says that there is no such project.
  if (head.status !== 200 && head.status !== 401 && !HEAD_REFUSED.has(head.status))
    throw await responseError(action, head);
  await discard(head);
  const described = head.status === 200 ? describeHead(action, head, reference) : undefined;
  return described ?? (await getManifest(action, repository, reference, options)).descriptor;
}

/**
 * Whether a manifest is there.
 *
 * @returns false only on a 404.
 */
export async function manifestExists(
  repository: RemoteRepository,
  digest: Digest,
  options: CallOptions = {},
): Promise<boolean> {
  const action = `Cannot look for ${display(repository, digest)}`;
  const head = await send(repository, 'HEAD', digest, options);
  if (head.status === 404) {
    await discard(head);
    return false;
  }
  if (head.status === 200) {
    await discard(head);
    if (isWebPage(head)) throw invalidResponse(action, head, 'expected a manifest');
    checkDigest(action, digest, statedDigest(action, head));
    return true;
  }
  if (!HEAD_REFUSED.has(head.status)) throw await responseError(action, head);
  await discard(head);
  const get = await send(repository, 'GET', digest, options);
  if (get.status !== 200 && get.status !== 404) throw await responseError(action, get);
  await discard(get);
  return get.status === 200;
}

/** Whether the registry says at once that it has no such tag or digest; false says nothing. Never read, so it is no pull. */
export async function isManifestMissing(
  repository: RemoteRepository,
  reference: string,
  options: CallOptions = {},
): Promise<boolean> {
  const head = await send(repository, 'HEAD', reference, options);
  await discard(head);
  return head.status === 404;
}

/**
 * Reads a manifest by tag or digest.
 *
 * @throws {NotFoundError} when the registry has no such reference.
 * @throws {WrongDigestError} when the bytes are not those of the digest asked for, or stated.
 * @throws {LimitExceededError} when it is over 4 MiB.
 */
export async function fetchManifest(
  repository: RemoteRepository,
  reference: string,
  options: CallOptions = {},
): Promise<FetchedManifest> {
  return getManifest(
    `Cannot read ${display(repository, reference)}`,
    repository,
    reference,
    options,
  );
}

/**
 * Writes a manifest, byte by byte as given, under a tag or its digest.
 *
 * @throws {WrongDigestError} when the registry says that it keeps other bytes than were sent.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
 */
export async function putManifest(
  repository: RemoteRepository,
  reference: string,
  manifest: FetchedManifest,
  { tag, signal }: PutManifestOptions = {},
): Promise<PutManifestAnswer> {
  const query = tag === undefined ? '' : `?tag=${tag}`;
  const action = `Cannot push ${display(repository, reference)}`;
  const response = await sendToWrite(
    repository,
    'PUT',
    `${manifestPath(repository, reference)}${query}`,
    {
      headers: { 'content-type': manifest.descriptor.mediaType },
      body: manifest.bytes,
      signal,
    },
  );
  if (response.status !== 201 && response.status !== 200 && response.status !== 202)
    throw foreignRefused(action, await responseError(action, response), manifest);
  await discard(response);
  if (isWebPage(response)) throw invalidResponse(action, response, 'expected status 201');
  checkDigest(action, manifest.descriptor.digest, statedDigest(action, response));
  const tags = (response.headers.get('oci-tag') ?? '').split(',').map((text) => text.trim());
  return { subject: response.headers.get('oci-subject')?.trim(), tags };
}

/**
 * docker-registry answers 500 and MANIFEST_BLOB_UNKNOWN to an image with layers that are at their own URLs (those of Windows), unless it is
 * configured to take them; it will not take it later either.
 */
function foreignRefused(
  action: string,
  error: ResponseError,
  { bytes, descriptor }: FetchedManifest,
): ResponseError {
  if (
    !(error instanceof ServerFailedError || error instanceof RefusedError) ||
    !error.problems.some(({ code }) => code === 'MANIFEST_BLOB_UNKNOWN')
  )
    return error;
  if (
    !childrenOf(parseManifest(bytes, descriptor.mediaType)).some(({ mediaType }) =>
      isForeignLayerType(mediaType),
    )
  )
    return error;
  return new RefusedError(
    `${action}: "${error.host}" takes no image with layers that are elsewhere (status ${error.status})`,
    error,
    {
      hint: 'whoever runs the registry can allow their URLs: validation.manifests.urls.allow in the configuration of docker-registry',
      cause: error,
    },
  );
}

/**
 * Deletes a manifest with all its tags (by digest), or one tag (by tag) where the registry can do that.
 *
 * @throws {NotFoundError} when it is not there.
 * @throws {RefusedError} where it is not supported or not allowed.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-manifests
 */
export async function deleteManifest(
  repository: RemoteRepository,
  reference: string,
  { signal }: CallOptions = {},
): Promise<void> {
  const response = await sendToWrite(repository, 'DELETE', manifestPath(repository, reference), {
    signal,
  });
  if (response.status < 200 || response.status > 204)
    throw await responseError(`Cannot delete ${display(repository, reference)}`, response);
  await discard(response);
}

async function getManifest(
  action: string,
  repository: RemoteRepository,
  reference: string,
  options: CallOptions,
): Promise<FetchedManifest> {
  const { clock, retries } = repository.connection;
  const { response, bytes } = await askAgain(
    () => readManifest(action, repository, reference, options),
    { clock, retries, signal: options.signal },
  );
  const stated = statedDigest(action, response);
  const asked = isDigest(reference) ? reference : undefined;
  const digest = digestOf(
    bytes,
    asked === undefined ? stated && algorithmOf(stated) : algorithmOf(asked),
  );
  checkDigest(action, asked ?? digest, digest);
  checkDigest(action, digest, stated);
  const mediaType = guessManifestType(response.headers.get('content-type'), bytes);
  if (mediaType === undefined)
    throw invalidResponse(action, response, 'expected the Content-Type of a manifest');
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes };
}

async function readManifest(
  action: string,
  repository: RemoteRepository,
  reference: string,
  options: CallOptions,
): Promise<{ readonly response: RegistryResponse; readonly bytes: Uint8Array }> {
  const response = await send(repository, 'GET', reference, options);
  if (response.status !== 200) throw await responseError(action, response);
  if (isWebPage(response)) {
    await discard(response);
    throw invalidResponse(action, response, 'expected a manifest');
  }
  return {
    response,
    bytes: await readAtMost(
      response,
      LIMITS.manifestBytes,
      `manifest ${display(repository, reference)}`,
    ),
  };
}

/** The descriptor that the head states; undefined when it leaves something out. */
function describeHead(
  action: string,
  head: RegistryResponse,
  reference: string,
): Descriptor | undefined {
  if (isWebPage(head)) throw invalidResponse(action, head, 'expected a manifest');
  const stated = statedDigest(action, head);
  const asked = isDigest(reference) ? reference : undefined;
  if (asked !== undefined) checkDigest(action, asked, stated);
  const digest = asked ?? stated;
  const mediaType = essence(head.headers.get('content-type') ?? '');
  const size = statedSize(head.headers);
  // Some servers answer HEAD with the length of the empty body.
  if (digest === undefined || size === undefined || size === 0 || !isManifestType(mediaType))
    return undefined;
  return { mediaType, digest, size };
}

function checkDigest(action: string, expected: Digest, found: Digest | undefined): void {
  if (found !== undefined && contradicts(expected, found))
    throw new WrongDigestError(action, expected, found);
}

async function send(
  repository: RemoteRepository,
  method: 'GET' | 'HEAD',
  reference: string,
  { signal }: CallOptions,
): Promise<RegistryResponse> {
  return sendToRead(repository, method, manifestPath(repository, reference), {
    accept: MANIFEST_ACCEPT,
    signal,
  });
}

/**
 * Finds the media type of a manifest that was read: what the registry says when that names a manifest, else what the bytes
 * say. Old registries send schema 1 as text/plain and others all JSON as application/json. Undefined when neither says it.
 */
export function guessManifestType(
  contentType: string | undefined,
  bytes: Uint8Array,
): string | undefined {
  const told = essence(contentType ?? '');
  if (isManifestType(told)) return told;
  const body = parseObject(bytes);
  if (body === undefined) return undefined;
  const inside = body['mediaType'];
  if (typeof inside === 'string' && isManifestType(inside)) return inside;
  if (body['schemaVersion'] === 1)
    return 'signatures' in body ? MEDIA_TYPE.dockerSchema1Signed : MEDIA_TYPE.dockerSchema1;
  if (Array.isArray(body['manifests'])) return MEDIA_TYPE.ociIndex;
  if ('config' in body && Array.isArray(body['layers'])) return MEDIA_TYPE.ociManifest;
  if (typeof inside === 'string' && inside !== '') return inside;
  return told === '' ? undefined : told;
}

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
