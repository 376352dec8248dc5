import { seekable, withoutFirst, type SeekableBytes } from '../bytes.ts';
import type { Bytes } from '../store.ts';
import { RefusedRequestError } from './errors.ts';

/** A body that has ended before the blob has: the next request goes on. */
export class MoreToCome extends Error {}

/** The store does not have the bytes before those of a request any more. */
export class LostPartError extends RefusedRequestError {}

export interface Rest {
  /** Which byte of the blob a body begins with. */
  readonly start: number;
  /** Of the whole blob. Bytes. */
  readonly size: number;
  /** Bytes that were read, and that the reader is done with: it has asked for the next ones. */
  readonly onTaken: (bytes: number) => void;
}

/**
 * A blob of which a request has only the bytes from `start` on: whoever reads it has those before.
 *
 * @throws {MoreToCome} while iterating, when the body ends before the blob.
 * @throws {LostPartError} while iterating from a byte that is not in it, or for the second time: a body comes once.
 */
export function restOf(body: Bytes, { start, size, onTaken }: Rest): SeekableBytes {
  let isRead = false;
  return seekable((offset) => ({
    async *[Symbol.asyncIterator]() {
      // The store begins again when the digest is another one.
      if (isRead)
        throw new LostPartError(
          'DIGEST_INVALID',
          'Cannot keep the blob: its bytes have another digest',
        );
      if (offset < start)
        throw new LostPartError(
          'BLOB_UPLOAD_UNKNOWN',
          'Cannot go on with the upload: what was received of it is lost',
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
