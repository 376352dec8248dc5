import { createHash } from 'node:crypto';

import { ContentMismatchError } from '../bytes.ts';
import { chunksOf, type OpenFile } from '../disk/random-access.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { algorithmOf, digestFrom } from '../oci/digest.ts';
import type { Bytes, FetchOptions } from '../store.ts';

/**
 * Makes the content of a node from a file. `open` is called for each reading, and must throw when
 * the node is missing. A file of another size than the descriptor states is read whole, and must
 * have its digest: the size is a hint.
 *
 * @throws {ContentMismatchError} while iterating, when the file has another size and another
 *   digest, or becomes shorter.
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
      const { size } = file;
      const proof = size === target.size ? undefined : createHash(algorithmOf(target.digest));
      try {
        let position = proof === undefined ? offset : 0;
        for await (const chunk of chunksOf(file, { from: position, to: size, signal })) {
          const known = offset - position;
          position += chunk.byteLength;
          proof?.update(chunk);
          if (known < chunk.byteLength) yield known > 0 ? chunk.subarray(known) : chunk;
        }
        if (position < size) throw new ContentMismatchError(target, `${position} bytes`);
        if (proof !== undefined && digestFrom(proof, algorithmOf(target.digest)) !== target.digest)
          throw new ContentMismatchError(target, `${size} bytes of another digest`);
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
