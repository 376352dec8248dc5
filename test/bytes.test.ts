import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  bytesOf,
  collect,
  collectVerified,
  ContentMismatchError,
  LimitExceededError,
  matches,
  owned,
  seekable,
  verified,
  withoutFirst,
} from '../src/bytes.ts';
import type { Descriptor } from '../src/oci/descriptor.ts';
import { digestOf, type DigestAlgorithm } from '../src/oci/digest.ts';
import type { Bytes } from '../src/store.ts';
import { poisoned } from './support/images/poison.ts';

const CONTENT = Buffer.from('the quick brown fox jumps over the lazy dog');

describe('verified().from()', () => {
  /** Reads `stop` bytes and leaves. */
  async function readUpTo(content: Bytes, stop: number): Promise<void> {
    let size = 0;
    for await (const chunk of content) {
      size += chunk.byteLength;
      if (size >= stop) return;
    }
  }

  test('returns the rest after an interruption at any byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(300_000),
        fc.nat(300_000),
        fc.integer({ min: 1000, max: 100_000 }),
        fc.boolean(),
        async (read, wanted, chunkSize, seeks) => {
          const content = new Uint8Array(300_000).map((_, index) => (index * 7) % 251);
          const open = (position: number): Bytes =>
            poisoned(content.subarray(position), { chunkSize });
          const proved = verified(seeks ? seekable(open) : open(0), descriptorOf(content));
          await readUpTo(proved, read);
          // Not toEqual: on buffers of this size it takes longer than the rest of the file.
          expect((await joined(proved.from(wanted))).equals(content.subarray(wanted))).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('resumes reading at a mark, not at the first byte', async () => {
    const content = new Uint8Array(1_000_000);
    const opened: number[] = [];
    const source = seekable((position) => {
      opened.push(position);
      return poisoned(content.subarray(position), { chunkSize: 10_000 });
    });
    const proved = verified(source, descriptorOf(content));
    await readUpTo(proved, 900_000);
    await joined(proved.from(890_000));
    expect(opened).toHaveLength(2);
    expect(opened[1]).toBeGreaterThan(800_000);
  });

  test('refuses a rest that does not belong to the bytes before it', async () => {
    const content = new Uint8Array(300_000).fill(1);
    const source = seekable((position) =>
      poisoned(position === 0 ? content : new Uint8Array(300_000 - position), {
        chunkSize: 10_000,
      }),
    );
    const proved = verified(source, descriptorOf(content));
    await readUpTo(proved, 200_000);
    await expect(joined(proved.from(150_000))).rejects.toThrow(ContentMismatchError);
  });

  test('verifies bytes that it does not yield', async () => {
    const content = new Uint8Array(1000);
    const proved = verified(bytesOf(new Uint8Array(1000).fill(1)), descriptorOf(content));
    await expect(joined(proved.from(1000))).rejects.toThrow(ContentMismatchError);
  });
});

test('withoutFirst() skips the first bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 50 }),
      fc.nat(60),
      fc.integer({ min: 1, max: 20 }),
      async (content, count, chunkSize) => {
        expect(await joined(withoutFirst(poisoned(content, { chunkSize }), count))).toEqual(
          Buffer.from(content.subarray(count)),
        );
      },
    ),
  );
});

describe('verified()', () => {
  test('yields the same bytes for any chunking', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 1, max: 64 }),
        fc.constantFrom('sha256' as const, 'sha512' as const),
        async (content, chunkSize, algorithm) => {
          const proved = verified(
            poisoned(content, { chunkSize }),
            descriptorOf(content, algorithm),
          );
          expect(await joined(proved)).toEqual(Buffer.from(content));
        },
      ),
    );
  });

  test('refuses any other content of that size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 100 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (content, at, change) => {
          const other = new Uint8Array(content);
          const index = at % other.length;
          other[index] = (Number(other[index]) + change) % 256;
          await expect(
            joined(verified(poisoned(other, { chunkSize: 7 }), descriptorOf(content))),
          ).rejects.toThrow(ContentMismatchError);
        },
      ),
    );
  });

  test('stops at the first surplus byte and closes the source', async () => {
    let opened = 0;
    let closed = 0;
    const endless: Bytes = {
      async *[Symbol.asyncIterator]() {
        try {
          for (;;) {
            opened += 1;
            yield CONTENT;
          }
        } finally {
          closed += 1;
        }
      },
    };
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      for await (const chunk of verified(endless, descriptorOf(CONTENT)))
        seen.push(chunk.byteLength);
    };
    await expect(run()).rejects.toThrow(
      `expected ${CONTENT.length} bytes of that digest, found more bytes than that`,
    );
    expect({ opened, closed, seen }).toEqual({ opened: 2, closed: 1, seen: [CONTENT.length] });
  });

  test('refuses content that ends early, and gives its size', async () => {
    await expect(
      joined(verified(bytesOf(CONTENT.subarray(0, 5)), descriptorOf(CONTENT))),
    ).rejects.toThrow(
      expect.objectContaining({
        code: 'CONTENT_MISMATCH',
        message: expect.stringContaining('found 5 bytes'),
        expected: descriptorOf(CONTENT),
      }),
    );
  });

  test('refuses empty content unless it is expected', async () => {
    await expect(
      joined(verified(bytesOf(new Uint8Array()), descriptorOf(CONTENT))),
    ).rejects.toThrow(ContentMismatchError);
    expect(
      await joined(verified(bytesOf(new Uint8Array()), descriptorOf(new Uint8Array()))),
    ).toHaveLength(0);
  });

  test('closes the source when the reader leaves early', async () => {
    let closed = false;
    const source: Bytes = {
      async *[Symbol.asyncIterator]() {
        try {
          yield CONTENT.subarray(0, 5);
          yield CONTENT.subarray(5);
        } finally {
          closed = true;
        }
      },
    };
    for await (const chunk of verified(source, descriptorOf(CONTENT))) {
      expect(chunk.byteLength).toBe(5);
      break;
    }
    expect(closed).toBe(true);
  });

  test('verifies again each time it is opened', async () => {
    const proved = verified(bytesOf(CONTENT), descriptorOf(CONTENT));
    expect(await joined(proved)).toEqual(CONTENT);
    expect(await joined(proved)).toEqual(CONTENT);
  });

  test('hashes content once for a descriptor, and again for another descriptor', async () => {
    const proved = verified(bytesOf(CONTENT), descriptorOf(CONTENT));
    expect(verified(proved, descriptorOf(CONTENT))).toBe(proved);
    await expect(joined(verified(proved, { ...descriptorOf(CONTENT), size: 5 }))).rejects.toThrow(
      ContentMismatchError,
    );
    await expect(
      joined(verified(proved, { ...descriptorOf(CONTENT), digest: digestOf(new Uint8Array()) })),
    ).rejects.toThrow(ContentMismatchError);
  });

  test('throws the error of the source', async () => {
    const broken: Bytes = {
      // oxlint-disable-next-line require-yield -- it fails before its first chunk
      async *[Symbol.asyncIterator]() {
        throw new Error('line cut');
      },
    };
    await expect(joined(verified(broken, descriptorOf(CONTENT)))).rejects.toThrow('line cut');
  });
});

describe('collect()', () => {
  test('copies chunks that are overwritten afterwards', async () => {
    expect(Buffer.from(await collect(poisoned(CONTENT, { chunkSize: 4 }), 100, 'x'))).toEqual(
      CONTENT,
    );
  });

  test('accepts exactly the limit', async () => {
    expect(await collect(bytesOf(CONTENT), CONTENT.length, 'x')).toHaveLength(CONTENT.length);
  });

  test('stops at the first byte over the limit', async () => {
    let opened = 0;
    const endless: Bytes = {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          opened += 1;
          yield CONTENT;
        }
      },
    };
    await expect(collect(endless, CONTENT.length, 'the token')).rejects.toThrow(
      expect.objectContaining({
        code: 'LIMIT_EXCEEDED',
        message: `Cannot read the token: expected at most ${CONTENT.length} bytes`,
      }),
    );
    expect(opened).toBe(2);
  });
});

describe('collectVerified()', () => {
  test('returns verified bytes', async () => {
    expect(
      Buffer.from(
        await collectVerified(poisoned(CONTENT, { chunkSize: 3 }), descriptorOf(CONTENT), 100),
      ),
    ).toEqual(CONTENT);
  });

  test('opens no content when the descriptor is over the limit', async () => {
    let isOpened = false;
    const source: Bytes = {
      async *[Symbol.asyncIterator]() {
        isOpened = true;
        yield CONTENT;
      },
    };
    await expect(collectVerified(source, descriptorOf(CONTENT), 10)).rejects.toThrow(
      LimitExceededError,
    );
    expect(isOpened).toBe(false);
  });

  test('refuses other bytes', async () => {
    await expect(
      collectVerified(bytesOf(CONTENT), descriptorOf(Buffer.from('x'.repeat(CONTENT.length))), 100),
    ).rejects.toThrow(ContentMismatchError);
  });
});

describe('owned()', () => {
  test('yields chunks that survive reuse of the memory, also for a Buffer', async () => {
    const reused: Bytes = {
      async *[Symbol.asyncIterator]() {
        const slab = Buffer.alloc(4);
        for (const word of ['abcd', 'efgh']) {
          slab.write(word);
          yield slab.subarray(0, 4);
        }
      },
    };
    const chunks: Uint8Array[] = [];
    for await (const chunk of owned(reused)) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('abcdefgh');
  });
});

describe('bytesOf()', () => {
  test('yields one chunk, or none for empty content', async () => {
    expect(await countOf(bytesOf(CONTENT))).toBe(1);
    expect(await countOf(bytesOf(new Uint8Array()))).toBe(0);
  });
});

describe('matches()', () => {
  test('compares size and digest', () => {
    expect(matches(CONTENT, descriptorOf(CONTENT))).toBe(true);
    expect(matches(CONTENT, descriptorOf(CONTENT, 'sha512'))).toBe(true);
    expect(matches(CONTENT, { ...descriptorOf(CONTENT), size: 1 })).toBe(false);
    expect(matches(Buffer.from('x'.repeat(CONTENT.length)), descriptorOf(CONTENT))).toBe(false);
  });
});

function descriptorOf(content: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Descriptor {
  return {
    mediaType: 'application/octet-stream',
    digest: digestOf(content, algorithm),
    size: content.byteLength,
  };
}

async function joined(content: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(new Uint8Array(chunk));
  return Buffer.concat(chunks);
}

async function countOf(content: Bytes): Promise<number> {
  let count = 0;
  for await (const chunk of content) count += chunk.byteLength > 0 ? 1 : 0;
  return count;
}
