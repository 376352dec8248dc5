import { verified } from '../bytes.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Bytes } from '../store.ts';

const HELD_BYTES = 64 * 1024;

/**
 * The same bytes, the last of them only when all are proved: not every registry checks the digest of an upload, and a request
 * that lacks its last bytes is one that no registry keeps.
 *
 * @throws {ContentMismatchError} while iterating, before the last bytes.
 */
export function proved(content: Bytes, expected: Descriptor): Bytes {
  return {
    async *[Symbol.asyncIterator]() {
      let position = 0;
      let held: Uint8Array | undefined;
      for await (const chunk of verified(content, expected)) {
        position += chunk.byteLength;
        if (position < expected.size || chunk.byteLength === 0) {
          yield chunk;
          continue;
        }
        // A copy: the chunk is gone once the end of the content is asked for.
        const cut = Math.max(0, chunk.byteLength - HELD_BYTES);
        held = new Uint8Array(chunk.subarray(cut));
        if (cut > 0) yield chunk.subarray(0, cut);
      }
      if (held !== undefined) yield held;
    },
  };
}

/** Content, and whether it was what failed: a source's fault is not the registry's, and no restart of an upload mends it. */
export interface Watched {
  readonly content: Bytes;
  readonly failure: () => { readonly error: unknown } | undefined;
}

export function watched(content: Bytes): Watched {
  let failure: { readonly error: unknown } | undefined;
  return {
    failure: () => failure,
    content: {
      async *[Symbol.asyncIterator]() {
        try {
          yield* content;
        } catch (error) {
          failure = { error };
          throw error;
        }
      },
    },
  };
}
