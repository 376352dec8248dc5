import fc from 'fast-check';
import { expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { ContentParts, PartSpentError } from '../../../src/registry/upload/content-parts.ts';
import type { Bytes } from '../../../src/store.ts';
import { poisoned } from '../../support/images/poison.ts';
import { readAll, watched } from '../../support/registries/watched.ts';

const chunked = (chunks: readonly Uint8Array[]): Bytes => ({
  async *[Symbol.asyncIterator]() {
    yield* chunks;
  },
});

test('ContentParts gives the same bytes for any chunks and any part size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 50 })),
      fc.integer({ min: 1, max: 60 }),
      async (chunks, size) => {
        const whole = Buffer.concat(chunks);
        const parts = new ContentParts(chunked(chunks));
        const read: Uint8Array[] = [];
        for (let sent = 0; sent < whole.byteLength; sent += size)
          read.push(await readAll(parts.take(size)));
        expect(read.slice(0, -1).every((part) => part.byteLength === size)).toBe(true);
        expect(Buffer.concat(read)).toEqual(whole);
      },
    ),
  );
});

test('ContentParts keeps no borrowed chunk', async () => {
  const bytes = new Uint8Array(5000).map((_, index) => index % 251);
  const parts = new ContentParts(poisoned(bytes, { chunkSize: 700 }));
  expect(Buffer.concat([await readAll(parts.take(3000)), await readAll(parts.take(2000))])).toEqual(
    Buffer.from(bytes),
  );
});

test('ContentParts gives a part once', async () => {
  const part = new ContentParts(bytesOf(new Uint8Array(10))).take(10);
  await readAll(part);
  await expect(readAll(part)).rejects.toThrow(PartSpentError);
});

test('close() closes the content', async () => {
  const { content, closed } = watched(bytesOf(new Uint8Array(10)));
  const parts = new ContentParts(content);
  await readAll(parts.take(5));
  await parts.close();
  expect(closed()).toBe(1);
});
