import fc from 'fast-check';
import { expect, test } from 'vitest';

import { bytesOf, ContentMismatchError } from '../../../src/bytes.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { ContentParts, UploadContent } from '../../../src/registry/upload/content.ts';
import type { Bytes } from '../../../src/store.ts';
import { poisoned } from '../../support/images/poison.ts';
import { readAll, watched } from '../../support/registries/watched.ts';

const describedAs = (bytes: Uint8Array) => ({
  mediaType: 'x',
  digest: digestOf(bytes),
  size: bytes.byteLength,
});

test('UploadContent yields the same bytes for any borrowed chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 1, max: 250 }),
      async (bytes, size) => {
        expect(
          await readAll(
            new UploadContent(poisoned(bytes, { chunkSize: size }), describedAs(bytes)),
          ),
        ).toEqual(bytes);
      },
    ),
  );
});

test('UploadContent yields the last bytes of a large chunk', async () => {
  const bytes = new Uint8Array(200_000).map((_, index) => index % 251);
  expect(await readAll(new UploadContent(bytesOf(bytes), describedAs(bytes)))).toEqual(bytes);
});

test('UploadContent never yields all bytes of wrong content', async () => {
  const bytes = new Uint8Array(200_000);
  let given = 0;
  const read = async (): Promise<void> => {
    for await (const chunk of new UploadContent(bytesOf(bytes), {
      ...describedAs(bytes),
      digest: digestOf(new Uint8Array(1)),
    }))
      given += chunk.byteLength;
  };
  await expect(read()).rejects.toThrow(ContentMismatchError);
  expect(given).toBeLessThan(bytes.byteLength);
});

test('UploadContent reports the error of its source after it was read', async () => {
  const error = new Error('disk');
  const failing: Bytes = {
    async *[Symbol.asyncIterator]() {
      yield new Uint8Array(1);
      throw error;
    },
  };
  const content = new UploadContent(failing, describedAs(new Uint8Array(2))).openAhead();
  expect([content.failure, content.position]).toEqual([undefined, 0]);
  await expect(readAll(content)).rejects.toBe(error);
  expect([content.failure, content.position]).toEqual([{ error }, 1]);
});

test('UploadContent opened ahead opens its source once for the first reading, anew for the next', async () => {
  const bytes = new Uint8Array([1, 2, 3]);
  let opened = 0;
  const source: Bytes = {
    async *[Symbol.asyncIterator]() {
      opened += 1;
      yield bytes;
    },
  };
  const content = new UploadContent(source, describedAs(bytes)).openAhead();
  expect(opened).toBe(1);
  expect([await readAll(content), opened]).toEqual([bytes, 1]);
  expect([await readAll(content), opened]).toEqual([bytes, 2]);
});

test('close() closes content that was opened ahead and not read', async () => {
  const bytes = new Uint8Array(10);
  const { content, closed } = watched(bytesOf(bytes));
  const upload = new UploadContent(content, describedAs(bytes)).openAhead();
  upload.close();
  await new Promise((resolve) => setImmediate(resolve));
  expect(closed()).toBe(1);
});

const chunked = (chunks: readonly Uint8Array[]): Bytes => ({
  async *[Symbol.asyncIterator]() {
    yield* chunks;
  },
});

test('ContentParts yields the same bytes for any chunks and any part size', async () => {
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

test('ContentParts yields a part once', async () => {
  const part = new ContentParts(bytesOf(new Uint8Array(10))).take(10);
  await readAll(part);
  await expect(readAll(part)).rejects.toMatchObject({ code: 'NETWORK' });
});

test('close() closes the content', async () => {
  const { content, closed } = watched(bytesOf(new Uint8Array(10)));
  const parts = new ContentParts(content);
  await readAll(parts.take(5));
  await parts.close();
  expect(closed()).toBe(1);
});
