import { verified } from '../../bytes.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Bytes } from '../../store.ts';

const HELD_BYTES = 64 * 1024;

/**
 * The same bytes, the last of them only when all are proved: not every registry checks the digest of an upload, and a request
 * that lacks its last bytes is one that no registry keeps.
 *
 * @param start first byte wanted; those before it are proved with the others, see `verified()`.
 * @throws {ContentMismatchError} while iterating, before the last bytes.
 */
export function proved(content: Bytes, expected: Descriptor, start = 0): Bytes {
  const whole = verified(content, expected);
  return {
    async *[Symbol.asyncIterator]() {
      let position = start;
      let held: Uint8Array | undefined;
      for await (const chunk of start === 0 ? whole : whole.from(start)) {
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

/** Content that tells what became of it. */
export interface Watched {
  readonly content: Bytes;
  /** What the content itself threw: a source's fault is not the registry's, and no restart of an upload mends it. */
  readonly failure: () => { readonly error: unknown } | undefined;
  /** How far it was read. Bytes. */
  readonly position: () => number;
}

/** @param start position of the first byte that `content` gives. */
export function watched(content: Bytes, start = 0): Watched {
  let failure: { readonly error: unknown } | undefined;
  let position = start;
  return {
    failure: () => failure,
    position: () => position,
    content: {
      async *[Symbol.asyncIterator]() {
        position = start;
        try {
          for await (const chunk of content) {
            position += chunk.byteLength;
            yield chunk;
          }
        } catch (error) {
          failure = { error };
          throw error;
        }
      },
    },
  };
}

/** Content whose first chunk is on its way before anybody reads. */
export interface OpenedAhead {
  /** The first reading takes what is open already, later ones open the content anew. */
  readonly content: Bytes;
  /** Closes what nobody read. Does not wait: content that stalls ends with its own signal. */
  close(): void;
}

/** Opens content now: what it waits for, such as another registry's answer, is waited for beside something else. */
export function openAhead(content: Bytes): OpenedAhead {
  const chunks = content[Symbol.asyncIterator]();
  const first = chunks.next();
  // Whoever reads hears of it.
  first.catch(ignore);
  let isTaken = false;

  async function* readOpened(): AsyncGenerator<Uint8Array> {
    try {
      for (let step = await first; step.done !== true; step = await chunks.next()) yield step.value;
    } finally {
      await chunks.return?.();
    }
  }

  return {
    content: {
      [Symbol.asyncIterator]() {
        if (isTaken) return content[Symbol.asyncIterator]();
        isTaken = true;
        return readOpened();
      },
    },
    close() {
      if (isTaken) return;
      isTaken = true;
      chunks.return?.().catch(ignore);
    },
  };
}

function ignore(): void {}
