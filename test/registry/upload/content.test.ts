import fc from 'fast-check';
import { expect, test } from 'vitest';

import { bytesOf, ContentMismatchError } from '../../../src/bytes.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { proved, watched } from '../../../src/registry/upload/content.ts';
import { poisoned } from '../../support/images/poison.ts';
import { readAll } from '../../support/registries/watched.ts';

const describedAs = (bytes: Uint8Array) => ({
  mediaType: 'x',
  digest: digestOf(bytes),
  size: bytes.byteLength,
});

test('proved() gives the same bytes, borrowed in any chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 200 }),
      fc.integer({ min: 1, max: 250 }),
      async (bytes, size) => {
        expect(
          await readAll(proved(poisoned(bytes, { chunkSize: size }), describedAs(bytes))),
        ).toEqual(bytes);
      },
    ),
  );
});

test('proved() gives the last bytes of a large chunk too', async () => {
  const bytes = new Uint8Array(200_000).map((_, index) => index % 251);
  expect(await readAll(proved(bytesOf(bytes), describedAs(bytes)))).toEqual(bytes);
});

test('proved() never gives all bytes of content that is wrong', async () => {
  const bytes = new Uint8Array(200_000);
  let given = 0;
  const read = async (): Promise<void> => {
    for await (const chunk of proved(bytesOf(bytes), {
      ...describedAs(bytes),
      digest: digestOf(new Uint8Array(1)),
    }))
      given += chunk.byteLength;
  };
  await expect(read()).rejects.toThrow(ContentMismatchError);
  expect(given).toBeLessThan(bytes.byteLength);
});

test('watched() remembers what the content threw', async () => {
  const error = new Error('disk');
  const { content, failure } = watched({
    async *[Symbol.asyncIterator]() {
      yield new Uint8Array(1);
      throw error;
    },
  });
  expect(failure()).toBeUndefined();
  await expect(readAll(content)).rejects.toBe(error);
  expect(failure()).toEqual({ error });
});
