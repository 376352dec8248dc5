import { assertNever } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { parseDigest } from '../oci/digest.ts';
import { isManifestType } from '../oci/media-types.ts';
import { canDelete, canResolveBlobs, type Bytes, type Store } from '../store.ts';
import { isNotFound, RefusedRequestError } from './errors.ts';
import { emptyAnswer, type Answer, type AnswerHeaders, type Call } from './exchange.ts';
import { parseRange } from './range.ts';

/** What blobs are kept and served as: only manifests have types of their own. */
export const BLOB_TYPE = 'application/octet-stream';

/**
 * Answers GET and HEAD of a blob, whole or a part. The bytes are not hashed again: each client does that itself.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-blobs
 */
export async function getBlob(call: Call, store: Store, digestText: string): Promise<Answer> {
  const blob = await findBlob(store, digestText, call.signal);
  const etag = `"${blob.digest}"`;
  const headers: AnswerHeaders = {
    'content-type': BLOB_TYPE,
    'docker-content-digest': blob.digest,
    etag,
    'accept-ranges': 'bytes',
  };
  if (isUnchanged(call, etag)) return emptyAnswer(304, headers);
  const range = parseRange(wantedRange(call, etag), blob.size);
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
        {
          headers: { 'content-range': `bytes */${blob.size}` },
        },
      );
    default:
      return assertNever(range);
  }
}

/** @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#deleting-blobs */
export async function deleteBlob(call: Call, store: Store, digestText: string): Promise<Answer> {
  if (!canDelete(store))
    throw new RefusedRequestError(
      'UNSUPPORTED',
      'Cannot delete a blob: this registry deletes nothing',
    );
  const blob = await findBlob(store, digestText, call.signal);
  if (isManifestType(blob.mediaType)) throw unknownBlob(blob.digest);
  await store.delete(blob, { signal: call.signal });
  return emptyAnswer(202);
}

/**
 * Finds a blob by its digest alone.
 *
 * @throws {RefusedRequestError} with BLOB_UNKNOWN when the repository has none.
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

/** Whether the client says that it has the content already. */
export function isUnchanged(call: Call, etag: string): boolean {
  const known = call.headers['if-none-match'];
  return (
    known !== undefined &&
    known.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')))
  );
}

/** A range counts only for the content that `If-Range` names; digests never name another. */
function wantedRange(call: Call, etag: string): string | undefined {
  const condition = call.headers['if-range'];
  return condition === undefined || condition === etag ? call.headers.range : undefined;
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
