import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import type { Bytes, Store } from '../../src/store.ts';
import { makeBlob, makeImage, makeIndex } from '../support/images/images.ts';
import { poisoned } from '../support/images/poison.ts';
import { readAll, stalling, watched } from '../support/registries/watched.ts';

const LARGE_BYTES = 5 * 1024 * 1024 + 17;

/** What a store promises of the bytes it is given. */
export function contentContract(store: () => Store): void {
  describe('content', () => {
    test('push() keeps nothing when the digest does not match', async () => {
      const { descriptor } = makeBlob(1000, 1);
      await expect(
        store().push(descriptor, bytesOf(makeBlob(1000, 2).bytes)),
      ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
      expect(await store().exists(descriptor)).toBe(false);
    });

    test.each([
      ['short', 999],
      ['long', 1001],
    ])('push() keeps nothing when the content is too %s', async (_, size) => {
      const { descriptor, bytes } = makeBlob(1000);
      const other = size < 1000 ? bytes.subarray(0, size) : Buffer.concat([bytes, Buffer.alloc(1)]);
      await expect(store().push(descriptor, bytesOf(other))).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      expect(await store().exists(descriptor)).toBe(false);
    });

    test('push() stops an endless source at the first byte too many', async () => {
      const { descriptor } = makeBlob(1000);
      let asked = 0;
      const endless: Bytes = {
        async *[Symbol.asyncIterator]() {
          for (;;) {
            asked += 1;
            yield new Uint8Array(400);
          }
        },
      };
      await expect(store().push(descriptor, endless)).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      expect(asked).toBe(3);
    });

    test('push() closes content that does not match', async () => {
      const { descriptor } = makeBlob(1000, 1);
      const content = watched(poisoned(makeBlob(2000, 2).bytes, { chunkSize: 100 }));
      await expect(store().push(descriptor, content.content)).rejects.toMatchObject({
        code: 'CONTENT_MISMATCH',
      });
      expect([content.opened(), content.closed()]).toEqual([1, 1]);
    });

    test('push() opens content once and closes it', async () => {
      const { descriptor, bytes } = makeBlob(1000);
      const content = watched(bytesOf(bytes));
      await store().push(descriptor, content.content);
      expect([content.opened(), content.closed()]).toEqual([1, 1]);
    });

    test('push() rejects with the error of the content, and keeps nothing', async () => {
      const { descriptor, bytes } = makeBlob(1000);
      const problem = new Error('connection lost');
      const cut: Bytes = {
        async *[Symbol.asyncIterator]() {
          yield bytes.subarray(0, 500);
          throw problem;
        },
      };
      await expect(store().push(descriptor, cut)).rejects.toBe(problem);
      expect(await store().exists(descriptor)).toBe(false);
    });

    test.each([1, 4093, 65_536, 2 * 1024 * 1024])(
      'push() copies borrowed chunks of %i bytes before it requests the next',
      async (chunkSize) => {
        const size = chunkSize === 1 ? 3000 : LARGE_BYTES;
        const { descriptor, bytes } = makeBlob(size);
        await store().push(descriptor, poisoned(bytes, { chunkSize }));
        expect(Buffer.compare(await readAll(store().fetch(descriptor)), bytes)).toBe(0);
      },
    );

    test('push() keeps an empty blob', async () => {
      const { descriptor } = makeBlob(0);
      await store().push(descriptor, bytesOf(new Uint8Array()));
      expect([await store().exists(descriptor), await readAll(store().fetch(descriptor))]).toEqual([
        true,
        new Uint8Array(),
      ]);
    });

    test('push() keeps a blob of a sha512 digest', async () => {
      const { descriptor, bytes } = makeBlob(1000, 1, 'sha512');
      await store().push(descriptor, bytesOf(bytes));
      expect(await readAll(store().fetch(descriptor))).toEqual(bytes);
    });

    test('push() verifies sha512 digests', async () => {
      const { descriptor } = makeBlob(1000, 1, 'sha512');
      await expect(
        store().push(descriptor, bytesOf(makeBlob(1000, 2).bytes)),
      ).rejects.toMatchObject({ code: 'CONTENT_MISMATCH' });
    });

    test('push() of one digest several times at once leaves one whole blob', async () => {
      const { descriptor, bytes } = makeBlob(LARGE_BYTES);
      await Promise.all(
        [1000, 65_536, 1_000_000].map((chunkSize) =>
          store().push(descriptor, poisoned(bytes, { chunkSize })),
        ),
      );
      expect(Buffer.compare(await readAll(store().fetch(descriptor)), bytes)).toBe(0);
    });

    test('push() that fails does not harm one of the same digest beside it', async () => {
      const { descriptor, bytes } = makeBlob(100_000);
      const wrong = store().push(descriptor, poisoned(makeBlob(100_000, 2).bytes));
      const right = store().push(descriptor, poisoned(bytes));
      await Promise.allSettled([wrong, right]);
      expect(await readAll(store().fetch(descriptor))).toEqual(bytes);
    });

    test('push() of a stalled source rejects when the signal aborts, and closes the source', async () => {
      const { descriptor, bytes } = makeBlob(1000);
      const controller = new AbortController();
      const source = stalling(bytes.subarray(0, 500), controller.signal);
      const pushed = store().push(descriptor, source.content, { signal: controller.signal });
      const reason = new Error('stop');
      await source.stalled;
      controller.abort(reason);
      await expect(pushed).rejects.toBe(reason);
      expect([source.closed(), await store().exists(descriptor)]).toEqual([1, false]);
    });

    test('push() rejects when the signal aborts although the source does not listen', async () => {
      const { descriptor, bytes } = makeBlob(1000);
      const controller = new AbortController();
      const deaf = stalling(bytes.subarray(0, 500), new AbortController().signal);
      const pushed = store().push(descriptor, deaf.content, { signal: controller.signal });
      const reason = new Error('stop');
      await deaf.stalled;
      controller.abort(reason);
      await expect(pushed).rejects.toBe(reason);
      expect(await store().exists(descriptor)).toBe(false);
    });

    test('push() keeps an image whole', async () => {
      const index = makeIndex({ attestations: true, layers: [5000, 70_000] });
      await index.pushAll(store(), 'v1');
      for (const { descriptor, bytes } of index.nodes.values())
        expect(await readAll(store().fetch(descriptor))).toEqual(bytes);
    });

    test('tag() fails with NOT_FOUND when the manifest is missing', async () => {
      await expect(store().tag(makeImage().root, 'v1')).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    });

    test('fetch() leaves content whole when it is read several times at once', async () => {
      const { descriptor, bytes } = makeBlob(LARGE_BYTES);
      await store().push(descriptor, bytesOf(bytes));
      const readers = await Promise.all(
        [0, 1, LARGE_BYTES - 5].map((offset) => readAll(store().fetch(descriptor, { offset }))),
      );
      expect(
        readers.map((read, at) =>
          Buffer.compare(read, bytes.subarray([0, 1, LARGE_BYTES - 5][at])),
        ),
      ).toEqual([0, 0, 0]);
    });
  });
}
