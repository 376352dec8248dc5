import { assertNever } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseDigest } from '../oci/digest.ts';
import { isManifestType } from '../oci/media-types.ts';
import { canDelete, canResolveBlobs, type Bytes, type Store } from '../store.ts';
import { isNotFound, RefusedRequestError } from './errors.ts';
import { emptyResponse, type CallResponse, type ResponseHeaders, type Call } from './exchange.ts';

/** The type of every blob: only manifests have types of their own. */
export const BLOB_TYPE = 'application/octet-stream';

/**
 * Serves GET and HEAD of a blob, whole or in part. Does not hash the bytes again: each client does
 * that itself.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs
 */
export async function getBlob(call: Call, store: Store, digestText: string): Promise<CallResponse> {
  const blob = await findBlob(store, digestText, call.signal);
  const etag = `"${blob.digest}"`;
  const headers: ResponseHeaders = {
    'content-type': BLOB_TYPE,
    'docker-content-digest': blob.digest,
    etag,
    'accept-ranges': 'bytes',
  };
  if (isUnchanged(call, etag)) return emptyResponse(304, headers);
  const range = parseRange(requestedRange(call, etag), blob.size);
  switch (range.kind) {
    case 'whole':
      return {
        status: 200,
        headers,
        body: { content: store.fetch(blob, { signal: call.signal }), size: blob.size },
      };
    case 'part': {
      const size = range.last - range.first + 1;
      const content = first(store.fetch(blob, { signal: call.signal, offset: range.first }), size);
      return {
        status: 206,
        headers: { ...headers, 'content-range': `bytes ${range.first}-${range.last}/${blob.size}` },
        body: { content, size },
      };
    }
    case 'unsatisfiable':
      throw new RefusedRequestError(
        'RANGE_INVALID',
        `Cannot send that range: the blob has ${blob.size} bytes`,
        { headers: { 'content-range': `bytes */${blob.size}` } },
      );
    default:
      return assertNever(range);
  }
}

/**
 * Serves DELETE of a blob.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-blobs
 */
export async function deleteBlob(
  call: Call,
  store: Store,
  digestText: string,
): Promise<CallResponse> {
  if (!canDelete(store))
    throw new RefusedRequestError(
      'UNSUPPORTED',
      'Cannot delete a blob: this registry does not support deletion',
    );
  const blob = await findBlob(store, digestText, call.signal);
  if (isManifestType(blob.mediaType)) throw unknownBlob(blob.digest);
  await store.delete(blob, { signal: call.signal });
  return emptyResponse(202);
}

/**
 * Finds a blob by its digest alone.
 *
 * @throws {RefusedRequestError} BLOB_UNKNOWN when the repository lacks it.
 */
export async function findBlob(
  store: Store,
  digestText: string,
  signal: AbortSignal,
): Promise<Descriptor> {
  const digest = parseDigest(digestText);
  try {
    return await (canResolveBlobs(store)
      ? store.resolveBlob(digest, { signal })
      : store.resolve(digest, { signal }));
  } catch (error) {
    if (isNotFound(error)) throw unknownBlob(digest);
    throw error;
  }
}

/** True if the client has the content already, by its `If-None-Match`. */
export function isUnchanged(call: Call, etag: string): boolean {
  const known = call.headers['if-none-match'];
  return (
    known !== undefined &&
    known.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')))
  );
}

/** The Range header, unless `If-Range` names other content. */
function requestedRange(call: Call, etag: string): string | undefined {
  const condition = call.headers['if-range'];
  return condition === undefined || condition === etag ? call.headers.range : undefined;
}

/** The part of a content that a request asks for. */
export type RangeRequest =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' };

const ONE_RANGE =
  /^bytes[ \t]*=[ \t]*(?:(\d{1,15})[ \t]*-[ \t]*(\d{1,15})?|-[ \t]*(\d{1,15}))[ \t]*$/i;

/**
 * Parses a Range header for a content of `size` bytes. Ignores anything but a single byte range, as
 * RFC 9110 allows: the response is then the whole content.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
export function parseRange(header: string | undefined, size: number): RangeRequest {
  const match = header === undefined ? undefined : ONE_RANGE.exec(header);
  if (!match) return { kind: 'whole' };
  const [, from, to, suffix] = match;
  if (suffix !== undefined) {
    const length = Math.min(Number(suffix), size);
    return length === 0
      ? { kind: 'unsatisfiable' }
      : { kind: 'part', first: size - length, last: size - 1 };
  }
  const first = Number(from);
  const last = to === undefined ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== undefined && Number(to) < first) return { kind: 'whole' };
  return first >= size ? { kind: 'unsatisfiable' } : { kind: 'part', first, last };
}

function first(content: Bytes, size: number): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      let left = size;
      for await (const chunk of content) {
        yield chunk.subarray(0, left);
        left -= Math.min(left, chunk.byteLength);
        if (left === 0) return;
      }
    },
  };
}

function unknownBlob(digest: string): RefusedRequestError {
  return new RefusedRequestError('BLOB_UNKNOWN', `Cannot find blob ${digest} in the repository`, {
    detail: { digest },
  });
}
