import { seekable, withoutFirst, type SeekableBytes } from '../bytes.ts';
import type { Bytes } from '../store.ts';
import { RefusedRequestError } from './errors.ts';

/** Thrown when a body ends before the blob does: the next request continues. */
export class MoreToCome extends Error {}

/** The store has lost the bytes before those of a request. */
export class LostPartError extends RefusedRequestError {}

export interface Rest {
  /** Offset in the blob of the first byte of the body. */
  readonly start: number;
  /** Size of the whole blob. Bytes. */
  readonly size: number;
  /**
   * Called with the number of bytes that the reader has consumed: it has asked for the next ones.
   */
  readonly onTaken: (bytes: number) => void;
}

/**
 * Makes a blob of a request that carries only the bytes from `start` on; the reader has the bytes
 * before.
 *
 * @throws {MoreToCome} while iterating, when the body ends before the blob.
 * @throws {LostPartError} while iterating from an earlier byte, or for the second time: a body
 *   comes once.
 */
export function restOf(body: Bytes, { start, size, onTaken }: Rest): SeekableBytes {
  let isRead = false;
  return seekable((offset) => ({
    async *[Symbol.asyncIterator]() {
      // The store starts again when the digest differs.
      if (isRead)
        throw new LostPartError(
          'DIGEST_INVALID',
          'Cannot store the blob: its bytes have a different digest',
        );
      if (offset < start)
        throw new LostPartError(
          'BLOB_UPLOAD_UNKNOWN',
          'Cannot resume the upload: the bytes received so far are lost',
        );
      isRead = true;
      let position = offset;
      if (offset > start) onTaken(offset - start);
      for await (const chunk of withoutFirst(body, offset - start)) {
        position += chunk.byteLength;
        yield chunk;
        onTaken(chunk.byteLength);
      }
      if (position < size) throw new MoreToCome();
    },
  }));
}

const CHUNK_RANGE = /^([0-9]{1,15})-([0-9]{1,15})$/;

/**
 * Parses the Content-Range of an upload's chunk: `<first>-<last>`, without unit and total.
 *
 * @returns undefined if it is malformed.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-a-blob-in-chunks
 */
export function parseChunkRange(
  header: string,
): { readonly first: number; readonly last: number } | undefined {
  const match = CHUNK_RANGE.exec(header);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2]);
  return last < first ? undefined : { first, last };
}
