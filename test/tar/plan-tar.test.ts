import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { encodeHeader } from '../../src/tar/header.ts';
import { indexTar, plainName } from '../../src/tar/index-tar.ts';
import { planTar, tarBytes } from '../../src/tar/plan-tar.ts';
import { inMemory } from '../support/images/tar-builder.ts';
import { readAll } from '../support/registries/watched.ts';

const file = fc.record({
  name: fc.stringMatching(/^[a-zä0-9._-]{1,60}(?:\/[a-zä0-9._-]{1,90}){0,3}$/),
  content: fc.uint8Array({ maxLength: 1500 }),
});
const files = fc.uniqueArray(file, { maxLength: 6, selector: ({ name }) => plainName(name) });

function tarOf(
  list: readonly { readonly name: string; readonly content: Uint8Array }[],
): Promise<Uint8Array> {
  const plan = planTar(
    list.map(({ name, content }) => ({ name, size: content.byteLength, content })),
  );
  return readAll({
    [Symbol.asyncIterator]: () => tarBytes(plan, ({ content }) => bytesOf(content)),
  });
}

describe('planTar()', () => {
  test('planTar() writes files that are read back at the planned places', async () => {
    await fc.assert(
      fc.asyncProperty(files, async (list) => {
        const bytes = await tarOf(list);
        const plan = planTar(list.map(({ name, content }) => ({ name, size: content.byteLength })));
        const { entries } = await indexTar(inMemory(bytes));
        expect(bytes.byteLength).toBe(plan.size);
        expect([...entries.values()].map(({ name, offset, size }) => [name, offset, size])).toEqual(
          plan.files.map((placed) => [
            plainName(placed.file.name),
            placed.offset,
            placed.file.size,
          ]),
        );
        for (const [at, { content }] of list.entries()) {
          const offset = plan.files[at]?.offset ?? 0;
          expect(bytes.subarray(offset, offset + content.byteLength)).toEqual(content);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('planTar() places a file after 9 GiB', () => {
    const size = 9 * 1024 ** 3;
    const [, behind] = planTar([
      { name: 'large', size },
      { name: 'behind', size: 1 },
    ]).files;
    expect(behind?.position).toBe(3 * 512 + size);
  });

  test('planTar() writes a size over 8 GiB that is read back', async () => {
    const header = encodeHeader({ name: 'a', size: 9 * 1024 ** 3 });
    const sparse = {
      size: 10 * 1024 ** 3,
      read: async (buffer: Uint8Array, position: number) => (
        buffer.fill(0).set(header.subarray(position, position + buffer.byteLength)),
        buffer.byteLength
      ),
    };
    expect((await indexTar(sparse)).entries.get('a')?.size).toBe(9 * 1024 ** 3);
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 53])('encodeHeader() refuses a size of %d', (size) => {
    expect(() => encodeHeader({ name: 'a', size })).toThrow(RangeError);
  });
});

describe('tarBytes()', () => {
  test.each([
    ['short', 9],
    ['long', 11],
  ])('tarBytes() fails when a content is too %s', async (_, size) => {
    const plan = planTar([{ name: 'a', size: 10 }]);
    const bytes = {
      [Symbol.asyncIterator]: () => tarBytes(plan, () => bytesOf(new Uint8Array(size))),
    };
    await expect(readAll(bytes)).rejects.toThrow('expected');
  });
});
