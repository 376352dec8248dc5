import { discard, readAtMost } from '../http/body.ts';
import { retryRead } from '../http/retry.ts';
import { LIMITS } from '../limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { isJsonObject, tryParseJson } from '../json.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { essence, isManifestType, MANIFEST_ACCEPT, MEDIA_TYPE } from '../oci/media-types.ts';
import type { Tag } from '../oci/reference.ts';
import { quote } from '../quote.ts';
import type { CallOptions } from '../store.ts';
import type { RegistryResponse } from './connection.ts';
import { invalidResponse, isWebPage, responseError } from './errors.ts';
import { display, manifestPath, type RemoteRepository, sendToRead } from './remote-repository.ts';
import { checkDigest, statedDigest, statedSize } from './response-headers.ts';

/** A manifest with the bytes of its digest. */
export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** Statuses of servers and firewalls that refuse HEAD, or cannot give the reason without a body. */
const HEAD_REFUSED: ReadonlySet<number> = new Set([400, 403, 405, 406, 409, 412, 415, 451, 501]);

/**
 * Finds the manifest of a tag or digest.
 *
 * Uses HEAD, which Docker Hub does not count as a pull. Its headers are only a SHOULD (spec 1.1):
 * without them, or where HEAD is refused, the manifest itself is read and hashed.
 *
 * @throws {RegistryResponseError} with code NOT_FOUND when the registry has no such manifest.
 * @throws {RegiError} with code CONTENT_MISMATCH when the registry states another digest.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#checking-if-content-exists-in-the-registry
 */
export async function resolveManifest(
  repository: RemoteRepository,
  identifier: Tag | Digest,
  options: CallOptions = {},
): Promise<Descriptor> {
  const action = `Cannot resolve ${display(repository, identifier)}`;
  const head = await send(repository, 'HEAD', identifier, options);
  // The GET shows the reason of a 401 too: Harbor's says that there is no such project.
  if (head.status !== 200 && head.status !== 401 && !HEAD_REFUSED.has(head.status))
    throw await responseError(action, head);
  await discard(head);
  const described = head.status === 200 ? describeHead(action, head, identifier) : undefined;
  return described ?? (await getManifest(action, repository, identifier, options)).descriptor;
}

/** True if a manifest exists; false only on a 404. */
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

/**
 * True if a HEAD shows that the manifest does not exist; false proves nothing. Not counted as a
 * pull.
 */
export async function isManifestMissing(
  repository: RemoteRepository,
  identifier: Tag | Digest,
  options: CallOptions = {},
): Promise<boolean> {
  const head = await send(repository, 'HEAD', identifier, options);
  await discard(head);
  return head.status === 404;
}

/**
 * Reads a manifest by tag or digest.
 *
 * @throws {RegistryResponseError} with code NOT_FOUND when the registry has no such manifest.
 * @throws {RegiError} with code CONTENT_MISMATCH when the bytes do not match the digest requested
 *   or stated.
 * @throws {LimitExceededError} when it is over 4 MiB.
 */
export async function fetchManifest(
  repository: RemoteRepository,
  identifier: Tag | Digest,
  options: CallOptions = {},
): Promise<FetchedManifest> {
  return getManifest(
    `Cannot read ${display(repository, identifier)}`,
    repository,
    identifier,
    options,
  );
}

async function getManifest(
  action: string,
  repository: RemoteRepository,
  identifier: Tag | Digest,
  options: CallOptions,
): Promise<FetchedManifest> {
  const { clock, retries } = repository.connection;
  const { response, bytes } = await retryRead(
    () => readManifest(action, repository, identifier, options),
    { clock, retries, signal: options.signal },
  );
  refuseEncoded(action, response, bytes);
  const mediaType = guessManifestType(response.headers.get('content-type'), bytes);
  // The digest of signed schema 1 leaves out the signatures, so the bytes have another one.
  if (mediaType === MEDIA_TYPE.dockerSchema1Signed) parseManifest(bytes, mediaType);
  const stated = statedDigest(action, response);
  const requested = isDigest(identifier) ? identifier : undefined;
  const named = requested ?? stated;
  const digest = digestOf(bytes, named && algorithmOf(named));
  checkDigest(action, requested ?? digest, digest);
  checkDigest(action, digest, stated);
  if (mediaType === undefined)
    throw invalidResponse(action, response, 'expected the Content-Type of a manifest');
  return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes };
}

/** regi asks for bytes as they are: a proxy that packs them changes their digest. */
function refuseEncoded(action: string, response: RegistryResponse, bytes: Uint8Array): void {
  const encoding = response.headers.get('content-encoding')?.trim() ?? '';
  if (encoding === '' || encoding === 'identity' || tryParseJson(bytes) !== undefined) return;
  throw invalidResponse(
    action,
    response,
    `expected the manifest as it is, found it packed with Content-Encoding ${quote(encoding)}`,
  );
}

async function readManifest(
  action: string,
  repository: RemoteRepository,
  identifier: Tag | Digest,
  options: CallOptions,
): Promise<{ readonly response: RegistryResponse; readonly bytes: Uint8Array }> {
  const response = await send(repository, 'GET', identifier, options);
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
      `manifest ${display(repository, identifier)}`,
    ),
  };
}

/** Returns the descriptor that a head states; undefined when it is incomplete. */
function describeHead(
  action: string,
  head: RegistryResponse,
  identifier: Tag | Digest,
): Descriptor | undefined {
  if (isWebPage(head)) throw invalidResponse(action, head, 'expected a manifest');
  const stated = statedDigest(action, head);
  const requested = isDigest(identifier) ? identifier : undefined;
  if (requested !== undefined) checkDigest(action, requested, stated);
  const digest = requested ?? stated;
  const mediaType = essence(head.headers.get('content-type') ?? '');
  const size = statedSize(head.headers);
  // Some servers respond to HEAD with the length of the empty body.
  if (digest === undefined || size === undefined || size === 0 || !isManifestType(mediaType))
    return undefined;
  return { mediaType, digest, size };
}

async function send(
  repository: RemoteRepository,
  method: 'GET' | 'HEAD',
  identifier: Tag | Digest,
  { signal }: CallOptions,
): Promise<RegistryResponse> {
  return sendToRead(repository, method, manifestPath(repository, identifier), {
    accept: MANIFEST_ACCEPT,
    signal,
  });
}

/**
 * Finds the media type of a manifest: the registry's if it is one of a manifest, else that of the
 * bytes. Old registries send schema 1 as text/plain, others all JSON as application/json. Undefined
 * without any.
 */
export function guessManifestType(
  contentType: string | undefined,
  bytes: Uint8Array,
): string | undefined {
  const stated = essence(contentType ?? '');
  if (isManifestType(stated)) return stated;
  const body = tryParseJson(bytes);
  if (!isJsonObject(body)) return undefined;
  const inside = body['mediaType'];
  if (typeof inside === 'string' && isManifestType(inside)) return inside;
  // A type that the registry and the manifest agree on is not guessed.
  if (inside === stated && stated !== '') return stated;
  if (body['schemaVersion'] === 1)
    return 'signatures' in body ? MEDIA_TYPE.dockerSchema1Signed : MEDIA_TYPE.dockerSchema1;
  if (Array.isArray(body['manifests'])) return MEDIA_TYPE.ociIndex;
  if ('config' in body && Array.isArray(body['layers'])) return MEDIA_TYPE.ociManifest;
  if (typeof inside === 'string' && inside !== '') return inside;
  return stated === '' ? undefined : stated;
}
