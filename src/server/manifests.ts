import { bytesOf, collect, collectProved } from '../bytes.ts';
import { RegiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { algorithmOf, digestOf, isDigest, parseDigest, type Digest } from '../oci/digest.ts';
import { childrenOf, parseManifest, type Manifest } from '../oci/manifest.ts';
import { essence, isForeignLayerType, isManifestType } from '../oci/media-types.ts';
import { isTag } from '../oci/reference.ts';
import { quote } from '../quote.ts';
import {
  canDelete,
  canListReferrers,
  canProve,
  canResolveBlobs,
  canUntag,
  type Store,
} from '../store.ts';
import { isUnchanged } from './blobs.ts';
import { isNotFound, RefusedRequestError } from './errors.ts';
import type { Admits } from './verified-manifests.ts';
import { emptyResponse, type CallResponse, type Call } from './exchange.ts';

interface GetManifestOptions {
  readonly reference: string;
  /** Decides whether the manifest may be served; all may when absent. */
  readonly admits: Admits | undefined;
}

/**
 * Serves GET and HEAD of a manifest with the exact bytes that were pushed. Ignores `Accept`: a
 * manifest has one type, and a conversion would change its digest.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
 */
export async function getManifest(
  call: Call,
  store: Store,
  { reference, admits }: GetManifestOptions,
): Promise<CallResponse> {
  const { signal } = call;
  const manifest = await findManifest(store, reference, signal);
  if (admits !== undefined && !(await admits(store, manifest, { signal })))
    throw new RefusedRequestError(
      'DENIED',
      'Cannot serve the manifest: the signature policy of this registry refuses it',
    );
  const etag = `"${manifest.digest}"`;
  const headers = {
    'content-type': manifest.mediaType,
    'docker-content-digest': manifest.digest,
    etag,
  };
  if (isUnchanged(call, etag)) return emptyResponse(304, headers);
  if (call.method === 'HEAD')
    return {
      status: 200,
      headers,
      body: { content: store.fetch(manifest, { signal: call.signal }), size: manifest.size },
    };
  return { status: 200, headers, body: await readManifest(store, manifest, call.signal) };
}

interface PutManifestOptions {
  /** The repository in the path. */
  readonly name: string;
  readonly reference: string;
  /** Accepts a manifest whose children are missing. */
  readonly sparse?: boolean | undefined;
}

/**
 * Serves PUT. Unless the registry is sparse, refuses a manifest whose children are missing, so that
 * no client ever pulls a partial image. Its subject may be missing, and foreign layers live
 * elsewhere.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests
 */
export async function putManifest(
  call: Call,
  store: Store,
  { name, reference, sparse = false }: PutManifestOptions,
): Promise<CallResponse> {
  const { digest: wanted, tags } = namesOf(reference, call.query);
  if (call.body.length !== undefined && call.body.length > LIMITS.manifestBytes) throw tooLarge();
  const bytes = await readBody(call);
  const digest = digestOf(bytes, wanted === undefined ? 'sha256' : algorithmOf(wanted));
  if (wanted !== undefined && wanted !== digest) {
    throw new RefusedRequestError(
      'DIGEST_INVALID',
      `Cannot store the manifest as ${wanted}: its digest is ${digest}`,
      { detail: { digest } },
    );
  }
  const manifest = parseBody(bytes, call.headers['content-type']);
  if (!sparse) await requireChildren(store, manifest, call.signal);
  const descriptor: Descriptor = { mediaType: manifest.mediaType, digest, size: bytes.byteLength };
  const [firstTag, ...otherTags] = tags;
  await store.push(descriptor, bytesOf(bytes), {
    signal: call.signal,
    ...(firstTag !== undefined && { tag: firstTag }),
  });
  for (const tag of otherTags) await store.tag(descriptor, tag, { signal: call.signal });
  return emptyResponse(201, {
    location: `/v2/${name}/manifests/${digest}`,
    'docker-content-digest': digest,
    ...(wanted !== undefined && tags.length > 0 && { 'oci-tag': tags }),
    ...(manifest.subject !== undefined &&
      canListReferrers(store) && { 'oci-subject': manifest.subject.digest }),
  });
}

/**
 * Serves DELETE: for a tag, removes only the tag; for a digest, the manifest and all its tags.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#content-management
 */
export async function deleteManifest(
  call: Call,
  store: Store,
  reference: string,
): Promise<CallResponse> {
  const { signal } = call;
  const manifest = await findManifest(store, reference, signal);
  if (isDigest(reference)) {
    if (!canDelete(store))
      throw new RefusedRequestError(
        'UNSUPPORTED',
        'Cannot delete a manifest: this registry does not support deletion',
      );
    await store.delete(manifest, { signal });
  } else {
    if (!canUntag(store))
      throw new RefusedRequestError(
        'UNSUPPORTED',
        'Cannot delete a tag: this registry does not support deletion',
      );
    await store.untag(reference, { signal });
  }
  return emptyResponse(202);
}

async function findManifest(
  store: Store,
  reference: string,
  signal: AbortSignal,
): Promise<Descriptor> {
  if (reference.includes(':')) parseDigest(reference);
  else if (!isTag(reference)) throw unknownManifest(reference);
  try {
    const found = await store.resolve(reference, { signal });
    if (isManifestType(found.mediaType)) return found;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  throw unknownManifest(reference);
}

async function readManifest(
  store: Store,
  manifest: Descriptor,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    return await collectProved(store.fetch(manifest, { signal }), manifest, LIMITS.manifestBytes);
  } catch (error) {
    if (!(error instanceof RegiError && error.code === 'CONTENT_MISMATCH')) throw error;
    // The fault is the registry's own and must not read as if the client had sent a wrong digest.
    throw new RefusedRequestError(
      'UNKNOWN',
      `Cannot send ${manifest.digest}: the stored content is damaged`,
      { cause: error },
    );
  }
}

/** The names that a PUT gives: one tag, or a digest with each `?tag=`. */
function namesOf(
  reference: string,
  query: URLSearchParams,
): { readonly digest: Digest | undefined; readonly tags: readonly string[] } {
  if (!reference.includes(':')) return { digest: undefined, tags: [checkTag(reference)] };
  return { digest: parseDigest(reference), tags: [...new Set(query.getAll('tag'))].map(checkTag) };
}

function checkTag(tag: string): string {
  if (!isTag(tag))
    throw new RefusedRequestError(
      'TAG_INVALID',
      `Cannot use tag ${quote(tag)}: expected 1 to 128 of A-Z a-z 0-9 _ . -`,
    );
  return tag;
}

async function readBody(call: Call): Promise<Uint8Array> {
  try {
    return await collect(call.body.content, LIMITS.manifestBytes, 'the manifest');
  } catch (error) {
    throw error instanceof RegiError && error.code === 'LIMIT_EXCEEDED' ? tooLarge() : error;
  }
}

function parseBody(bytes: Uint8Array, contentType: string | undefined): Manifest {
  const sent = contentType === undefined ? undefined : essence(contentType);
  if (sent !== undefined && !isManifestType(sent)) {
    throw new RefusedRequestError(
      'MANIFEST_INVALID',
      `Cannot store a manifest of type ${quote(sent)}: expected an OCI or docker manifest or index`,
    );
  }
  try {
    return parseManifest(bytes, sent);
  } catch (error) {
    throw error instanceof RegiError
      ? new RefusedRequestError('MANIFEST_INVALID', error.message, { cause: error })
      : error;
  }
}

/**
 * True for a node under its digest, also where the manifest states another size: then its bytes are
 * the proof.
 */
async function isHeld(store: Store, child: Descriptor, signal: AbortSignal): Promise<boolean> {
  if (await store.exists(child, { signal })) return true;
  try {
    const { size } = await (canResolveBlobs(store)
      ? store.resolveBlob(child.digest, { signal })
      : store.resolve(child.digest, { signal }));
    if (size === child.size) return false;
    return canProve(store) ? await store.prove({ ...child, size }, { signal }) : true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function requireChildren(
  store: Store,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const children = new Map(childrenOf(manifest).map((child) => [child.digest, child]));
  const missing: Digest[] = [];
  for (const child of children.values()) {
    if (isForeignLayerType(child.mediaType)) continue;
    if (!(await isHeld(store, child, signal))) missing.push(child.digest);
  }
  if (missing.length === 0) return;
  throw new RefusedRequestError(
    'MANIFEST_BLOB_UNKNOWN',
    `Cannot store the manifest: ${missing.length} of its nodes are not in the repository`,
    {
      errors: missing.map((digest) => ({
        code: 'MANIFEST_BLOB_UNKNOWN',
        message: `Cannot store the manifest: ${digest} is not in the repository`,
        detail: { digest },
      })),
    },
  );
}

function tooLarge(): RefusedRequestError {
  return new RefusedRequestError(
    'SIZE_INVALID',
    `Cannot accept the manifest: expected at most ${LIMITS.manifestBytes} bytes`,
    { status: 413 },
  );
}

function unknownManifest(reference: string): RefusedRequestError {
  return new RefusedRequestError(
    'MANIFEST_UNKNOWN',
    `Cannot find manifest ${quote(reference)} in the repository`,
  );
}
