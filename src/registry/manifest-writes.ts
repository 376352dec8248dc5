import { RegiError } from '../errors.ts';
import { NetworkError, TimeoutError } from '../http/errors.ts';
import { discard } from '../http/body.ts';
import type { Digest } from '../oci/digest.ts';
import { childrenOf, parseManifest } from '../oci/manifest.ts';
import { isForeignLayerType } from '../oci/media-types.ts';
import type { Tag } from '../oci/reference.ts';
import type { CallOptions } from '../store.ts';
import {
  invalidResponse,
  RegistryResponseError,
  responseError,
  type ResponseError,
} from './errors.ts';
import { isManifestMissing, resolveManifest, type FetchedManifest } from './manifests.ts';
import { display, manifestPath, type RemoteRepository, sendToWrite } from './remote-repository.ts';
import { checkDigest, statedDigest } from './response-headers.ts';

/** A registry's response to a pushed manifest. */
export interface PutManifestResult {
  /** The subject, if the registry lists the manifest among its referrers itself. */
  readonly subject: string | undefined;
  /** The requested tags that were set: registries may ignore the parameter. */
  readonly tags: readonly string[];
  /**
   * True if a later request found the manifest there, so that the registry's own response is
   * unknown.
   */
  readonly isFound?: boolean;
}

export interface PutManifestOptions extends CallOptions {
  /** A tag to set in the same request, where `identifier` is a digest. */
  readonly tag?: Tag | undefined;
}

/**
 * Writes a manifest, byte by byte as given, under a tag or its digest. After a refusal, or another
 * response than 201, it looks whether exactly that manifest is there: the first response may have
 * been lost, and a second PUT be a conflict.
 *
 * @throws {RegiError} with code CONTENT_MISMATCH when the registry states another digest.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
 */
export async function putManifest(
  repository: RemoteRepository,
  identifier: Tag | Digest,
  manifest: FetchedManifest,
  options: PutManifestOptions = {},
): Promise<PutManifestResult> {
  try {
    return await sendManifest(repository, identifier, manifest, options);
  } catch (error) {
    const { signal } = options;
    signal?.throwIfAborted();
    const { digest } = manifest.descriptor;
    if (!mayBeStored(error) || !(await isStored(repository, identifier, digest, { signal })))
      throw error;
    return { subject: undefined, tags: [], isFound: true };
  }
}

async function sendManifest(
  repository: RemoteRepository,
  identifier: Tag | Digest,
  manifest: FetchedManifest,
  { tag, signal }: PutManifestOptions,
): Promise<PutManifestResult> {
  const query = tag === undefined ? '' : `?tag=${tag}`;
  const action = `Cannot push ${display(repository, identifier)}`;
  const path = `${manifestPath(repository, identifier)}${query}`;
  const response = await sendToWrite(repository, 'PUT', path, {
    headers: { 'content-type': manifest.descriptor.mediaType },
    body: manifest.bytes,
    signal,
  });
  if (response.status < 200 || response.status >= 300)
    throw dockerRefused(
      foreignRefused(action, await responseError(action, response), manifest),
      manifest,
    );
  await discard(response);
  // A proxy that shows its health page says 200 to everything.
  if (response.status !== 201)
    throw invalidResponse(action, response, `expected status 201, found ${response.status}`);
  checkDigest(action, manifest.descriptor.digest, statedDigest(action, response));
  const tags = (response.headers.get('oci-tag') ?? '').split(',').map((text) => text.trim());
  return { subject: response.headers.get('oci-subject')?.trim(), tags };
}

/** True for failures after which the manifest may be there nevertheless. */
function mayBeStored(error: unknown): boolean {
  if (error instanceof NetworkError || error instanceof TimeoutError)
    return error.phase !== 'connect';
  return (
    error instanceof RegistryResponseError &&
    (error.code === 'REFUSED' ||
      error.code === 'SERVER_FAILED' ||
      error.code === 'INVALID_RESPONSE') &&
    // It may be there, but an image without its blobs is none.
    !error.problems.some(({ code }) => code === 'MANIFEST_BLOB_UNKNOWN')
  );
}

/**
 * True only if the registry has that manifest under that name. A failure to look proves nothing.
 */
async function isStored(
  repository: RemoteRepository,
  identifier: Tag | Digest,
  digest: Digest,
  options: CallOptions,
): Promise<boolean> {
  try {
    return (await resolveManifest(repository, identifier, options)).digest === digest;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof RegiError) return false;
    throw error;
  }
}

/**
 * Explains MANIFEST_BLOB_UNKNOWN for an image with layers at URLs of their own, such as Windows
 * images. docker-registry refuses those with status 500 unless it is configured otherwise; a retry
 * is useless.
 */
function foreignRefused(
  action: string,
  error: ResponseError,
  { bytes, descriptor }: FetchedManifest,
): ResponseError {
  if (
    !(error instanceof RegistryResponseError) ||
    (error.code !== 'SERVER_FAILED' && error.code !== 'REFUSED') ||
    !error.problems.some(({ code }) => code === 'MANIFEST_BLOB_UNKNOWN')
  )
    return error;
  const children = childrenOf(parseManifest(bytes, descriptor.mediaType));
  if (!children.some(({ mediaType }) => isForeignLayerType(mediaType))) return error;
  return new RegistryResponseError(
    'REFUSED',
    `${action}: "${error.host}" takes no image with layers at other URLs (status ${error.status})`,
    error,
    {
      hint: 'the operator of the registry can allow their URLs: validation.manifests.urls.allow in the configuration of docker-registry',
      cause: error,
    },
  );
}

/** Tells what to type where a registry, such as zot, takes OCI media types only. */
function dockerRefused(error: ResponseError, { descriptor }: FetchedManifest): ResponseError {
  if (
    !(error instanceof RegistryResponseError) ||
    !descriptor.mediaType.startsWith(DOCKER_PREFIX) ||
    !(error.status === 415 || error.problems.some(({ code }) => code === 'MANIFEST_INVALID'))
  )
    return error;
  return new RegistryResponseError(error.code, error.message, error, {
    hint: 'the registry may take OCI media types only: add --format oci, which changes the digest',
    cause: error,
  });
}

const DOCKER_PREFIX = 'application/vnd.docker.';

/**
 * Deletes a manifest with all its tags (by digest), or one tag (by tag) where the registry supports
 * that.
 *
 * @throws {RegistryResponseError} with code NOT_FOUND when it does not exist, REFUSED where
 *   deleting is not supported or not allowed.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-manifests
 */
export async function deleteManifest(
  repository: RemoteRepository,
  identifier: Tag | Digest,
  { signal }: CallOptions = {},
): Promise<void> {
  const action = `Cannot delete ${display(repository, identifier)}`;
  const response = await sendToWrite(repository, 'DELETE', manifestPath(repository, identifier), {
    signal,
  });
  if (response.status < 200 || response.status > 204) throw await responseError(action, response);
  await discard(response);
  // 202 by the specification. A proxy that shows its health page says 200 to everything.
  if (response.status !== 202 && !(await isManifestMissing(repository, identifier, { signal })))
    throw invalidResponse(action, response, `expected status 202, found ${response.status}`);
}
