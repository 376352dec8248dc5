import { ContentMismatchError } from '../bytes.ts';
import { chunksOf, type OpenFile } from '../disk/random-access.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes, FetchOptions } from '../store.ts';

/**
 * Makes the content of a node from a file. `open` is called for each reading, and must throw when the node is missing.
 *
 * @throws {ContentMismatchError} while iterating, when the file ends before the node does.
 */
export function contentOf(
  target: Descriptor,
  open: () => OpenFile | Promise<OpenFile>,
  { signal, offset = 0 }: FetchOptions = {},
): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      signal?.throwIfAborted();
      const file = await open();
      try {
        let position = offset;
        for await (const chunk of chunksOf(file, { from: offset, to: target.size, signal })) {
          position += chunk.byteLength;
          yield chunk;
        }
        if (position < target.size) throw new ContentMismatchError(target, `${position} bytes`);
      } finally {
        await file.close();
      }
    },
  };
}

/** Gives random access to bytes in memory. A reader gets copies, and cannot change them. */
export function memoryFile(bytes: Uint8Array): OpenFile {
  return {
    size: bytes.byteLength,
    async read(buffer, position) {
      const piece = bytes.subarray(position, position + buffer.byteLength);
      buffer.set(piece);
      return piece.byteLength;
    },
    close: async () => undefined,
  };
}
