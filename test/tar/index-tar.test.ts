import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { RegiError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { indexTar, plainName, type TarEntry, type TarIndex } from '../../src/tar/index-tar.ts';
import { buildTar, inMemory, pax, type TarMember } from '../support/images/tar-builder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function index(members: readonly TarMember[], end?: number): Promise<TarIndex> {
  return indexTar(inMemory(buildTar(members, end)));
}

async function only(members: readonly TarMember[]): Promise<TarEntry | undefined> {
  return [...(await index(members)).entries.values()][0];
}

describe('indexTar()', () => {
  test('indexTar() lists entries with the places of their contents', async () => {
    const { entries } = await index([
      { name: 'a', content: 'x'.repeat(513) },
      { name: 'b', content: 'y' },
    ]);
    expect([...entries.values()]).toEqual([
      { type: 'file', name: 'a', offset: 512, size: 513, link: '' },
      { type: 'file', name: 'b', offset: 512 + 1024 + 512, size: 1, link: '' },
    ]);
  });

  test('indexTar() reads one block per entry and no content', async () => {
    const file = inMemory(buildTar([{ name: 'a', content: 'x'.repeat(5000) }, { name: 'b' }]));
    await indexTar(file);
    expect(file.reads).toEqual([512, 512, 512]);
  });

  test.each([
    ['a ustar prefix', [{ name: 'tail', prefix: 'long/folder' }], 'long/folder/tail'],
    [
      'no prefix in a GNU header, which keeps times there',
      [{ name: 'tail', prefix: '14000000000', magic: 'gnu' }],
      'tail',
    ],
    ['a header older than ustar', [{ name: 'old', magic: 'v7' }], 'old'],
    [
      'a GNU long name',
      [
        { name: '././@LongLink', typeflag: 'L', content: `${'n'.repeat(300)}\0` },
        { name: 'short' },
      ],
      'n'.repeat(300),
    ],
    ['a PAX path', [pax({ path: 'päx/nämé' }), { name: 'short' }], 'päx/nämé'],
    ['a global PAX path', [pax({ path: 'global' }, 'g'), { name: 'short' }], 'global'],
    [
      'a local PAX path over a global one',
      [pax({ path: 'global' }, 'g'), pax({ path: 'local' }), { name: 'short' }],
      'local',
    ],
    ['a name without "./"', [{ name: './a/./b//c' }], 'a/b/c'],
    ['a name of 100 bytes without NUL', [{ name: 'n'.repeat(100) }], 'n'.repeat(100)],
  ] as const)('indexTar() reads %s', async (_, members, name) => {
    expect((await only(members))?.name).toBe(name);
  });

  test('indexTar() takes the size of PAX records over that of the header', async () => {
    const members = [
      pax({ size: '700' }),
      { name: 'a', content: 'x'.repeat(700), size: 0 },
      { name: 'b' },
    ];
    expect([...(await index(members)).entries.values()].map(({ size }) => size)).toEqual([700, 0]);
  });

  test('indexTar() reads a size in base 256', async () => {
    const sizeField = Buffer.alloc(12);
    sizeField[0] = 0x80;
    sizeField.writeUInt16BE(700, 10);
    expect((await only([{ name: 'a', content: 'x'.repeat(700), sizeField }]))?.size).toBe(700);
  });

  test.each([
    ['negative', Buffer.alloc(12, 0xff)],
    ['over 2^53', Buffer.from([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ['no number', Buffer.from('12x45       ')],
  ])('indexTar() refuses a size that is %s', async (_, sizeField) => {
    await expect(index([{ name: 'a', sizeField }])).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
      message: expect.stringContaining('at byte 0:'),
    });
  });

  test('indexTar() takes the last of several entries with one name', async () => {
    const { entries } = await index([
      { name: 'a', content: '1' },
      { name: './a', content: '22' },
    ]);
    expect([...entries.values()].map(({ size }) => size)).toEqual([2]);
  });

  test.each([
    ['pipe', '6'],
    ['character device', '3'],
    ['block device', '4'],
    ['volume label', 'V'],
  ])('indexTar() lists a %s, and find() does not', async (_, typeflag) => {
    const made = await index([{ name: 'odd', typeflag }, { name: 'b' }]);
    expect([made.entries.get('odd')?.type, made.find('odd'), made.find('b')?.name]).toEqual([
      'special',
      undefined,
      'b',
    ]);
  });

  test.each(['1', '2', '5'])(
    'indexTar() expects no content behind an entry of type %s that has a size',
    async (typeflag) => {
      const made = await index([{ name: 'a', typeflag, size: 4096, link: 'b' }, { name: 'b' }]);
      expect(made.entries.get('b')?.offset).toBe(1024);
    },
  );

  test.each([0, 1])(
    'indexTar() needs no more than %i blocks of zeros at the end',
    async (blocks) => {
      expect((await index([{ name: 'a', content: 'x' }], blocks)).entries.size).toBe(1);
    },
  );

  test('indexTar() does not look behind the end', async () => {
    const bytes = Buffer.concat([
      buildTar([{ name: 'a' }]),
      Buffer.from('garbage'.repeat(100)),
      buildTar([{ name: 'b' }]),
    ]);
    expect([...(await indexTar(inMemory(bytes))).entries.keys()]).toEqual(['a']);
  });

  test('indexTar() accepts a last content without its padding', async () => {
    const bytes = buildTar([{ name: 'a', content: 'x'.repeat(10) }], 0).subarray(0, 522);
    expect((await indexTar(inMemory(bytes))).entries.get('a')?.size).toBe(10);
  });

  test.each([
    ['in a content', 700, 0],
    ['in a header', 1024 + 512 + 100, 1536],
  ])('indexTar() says where a tar is cut %s', async (_, length, offset) => {
    const bytes = buildTar([{ name: 'a', content: 'x'.repeat(600) }, { name: 'b' }]).subarray(
      0,
      length,
    );
    await expect(indexTar(inMemory(bytes))).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
      message: expect.stringContaining(`at byte ${offset}:`),
    });
  });

  test('indexTar() says where a header is damaged', async () => {
    const bytes = new Uint8Array(buildTar([{ name: 'a' }, { name: 'b' }]));
    bytes[520] = 1;
    await expect(indexTar(inMemory(bytes))).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
      message: expect.stringMatching(/at byte 512: .*found other bytes/),
    });
  });

  test('indexTar() refuses an extension header without an entry', async () => {
    await expect(index([pax({ path: 'a' })])).rejects.toMatchObject({ code: 'INVALID_ARCHIVE' });
  });

  test.each([
    ['of GNU', [{ name: 'a', typeflag: 'S' }]],
    ['in PAX records', [pax({ 'GNU.sparse.major': '1' }), { name: 'a' }]],
  ])('indexTar() refuses sparse entries %s', async (_, members) => {
    await expect(index(members)).rejects.toMatchObject({
      code: 'INVALID_ARCHIVE',
      message: expect.stringContaining('sparse'),
    });
  });

  test('indexTar() refuses an extension header over the limit before it reads it', async () => {
    const file = inMemory(
      buildTar([{ name: 'x', typeflag: 'x', size: LIMITS.tarExtensionBytes + 1 }]),
    );
    await expect(indexTar(file)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(Math.max(...file.reads)).toBe(512);
  });

  test('indexTar() skips an entry of 9 GiB without reading it', async () => {
    const path = join(temporaryFolder('tar'), 'large.tar');
    const size = 9 * 1024 ** 3;
    const start = buildTar([pax({ size: String(size) }), { name: 'large', size: 0 }], 0);
    await writeFile(path, start);
    await truncate(path, start.byteLength + size);
    const file = await open(path, 'r+');
    try {
      await file.write(
        buildTar([{ name: 'behind', content: 'x' }]),
        0,
        undefined,
        start.byteLength + size,
      );
      const reads: number[] = [];
      const read = async (buffer: Uint8Array, position: number): Promise<number> => {
        reads.push(buffer.byteLength);
        return (await file.read(buffer, 0, buffer.byteLength, position)).bytesRead;
      };
      const { entries } = await indexTar({ size: (await file.stat()).size, read });
      expect([entries.get('large')?.size, entries.get('behind')?.offset]).toEqual([
        size,
        start.byteLength + size + 512,
      ]);
      expect(reads.reduce((sum, bytes) => sum + bytes)).toBeLessThan(4096);
    } finally {
      await file.close();
    }
  });

  test('indexTar() of any bytes gives an index or an error that is meant', async () => {
    const member = fc.record({
      name: fc.string({ maxLength: 20 }),
      content: fc.string(),
      typeflag: fc.constantFrom('0', '1', '2', '5', 'x', 'g', 'L', 'K', 'S', '?'),
    });
    const damaged = fc
      .tuple(fc.array(member, { maxLength: 4 }), fc.nat(4000), fc.nat(255))
      .map(([members, at, value]) => {
        const bytes = new Uint8Array(buildTar(members));
        if (bytes.byteLength > 0) bytes[at % bytes.byteLength] = value;
        return bytes;
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 2000 }), damaged), async (bytes) => {
        try {
          for (const entry of (await indexTar(inMemory(bytes))).entries.values())
            expect(entry.offset + entry.size).toBeLessThanOrEqual(bytes.byteLength);
        } catch (error) {
          if (!(error instanceof RegiError)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('find()', () => {
  test.each([
    [
      'a symbolic link from its own folder',
      [{ name: 'x/layer.tar', typeflag: '2', link: '../y/layer.tar' }, { name: 'y/layer.tar' }],
      'x/layer.tar',
      'y/layer.tar',
    ],
    [
      'a hard link from the top',
      [{ name: 'y/layer.tar' }, { name: 'x/layer.tar', typeflag: '1', link: './y/layer.tar' }],
      'x/layer.tar',
      'y/layer.tar',
    ],
    ['a name with "./"', [{ name: 'a' }], './a', 'a'],
    [
      'a link to a name that starts with two dots',
      [{ name: '..data/a' }, { name: 'a', typeflag: '2', link: '..data/a' }],
      'a',
      '..data/a',
    ],
  ])('find() follows %s', async (_, members, name, found) => {
    expect((await index(members)).find(name)?.name).toBe(found);
  });

  test.each([
    ['out of the tar', [{ name: 'a', typeflag: '2', link: '../../etc/passwd' }]],
    ['to an absolute path', [{ name: 'a', typeflag: '2', link: '/etc/passwd' }]],
    ['as a hard link to an absolute path', [{ name: 'a', typeflag: '1', link: '/etc/passwd' }]],
    [
      'in a circle',
      [
        { name: 'a', typeflag: '2', link: 'b' },
        { name: 'b', typeflag: '2', link: 'a' },
      ],
    ],
    [
      'to a folder',
      [
        { name: 'a', typeflag: '2', link: 'b' },
        { name: 'b', typeflag: '5' },
      ],
    ],
  ])('find() finds nothing behind a link that leads %s', async (_, members) => {
    expect((await index(members)).find('a')).toBeUndefined();
  });
});

test.each([
  ['./a', 'a'],
  ['a/', 'a'],
  ['/a', '/a'],
  ['../a', '../a'],
  ['.', ''],
])('plainName() makes %s into %s', (name, plain) => {
  expect(plainName(name)).toBe(plain);
});
