import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { bytesOf, collect } from '../../src/bytes.ts';
import type { Bytes } from '../../src/store.ts';
import { indexTar } from '../../src/tar/index-tar.ts';
import { readTar } from '../../src/tar/read-tar.ts';
import { encodeFileHeader, parseHeader } from '../../src/tar/header.ts';
import { nameOf, nameText, type TarFile } from '../../src/tar/tar-file.ts';
import { poisoned } from '../support/images/poison.ts';
import { buildTar, inMemory, pax, type TarMember } from '../support/images/tar-builder.ts';

interface Read extends Partial<TarFile> {
  readonly content: string;
}

async function read(tar: Uint8Array, pieces = 7): Promise<readonly Read[]> {
  const found: Read[] = [];
  for await (const { file, content } of readTar(inPieces(tar, pieces)))
    found.push({ ...file, content: Buffer.from(await collect(content, 1e6, 'x')).toString() });
  return found;
}

function inPieces(bytes: Uint8Array, chunkSize: number): Bytes {
  return poisoned(bytes, { chunkSize });
}

describe('readTar()', () => {
  test('readTar() yields files in their order with their content, whatever the pieces it gets', async () => {
    const tar = buildTar([
      { name: 'a', content: 'x'.repeat(513), mode: 0o4755, mtime: 1_700_000_000 },
      { name: 'd/', typeflag: '5' },
      { name: 'd/b', content: 'y' },
    ]);
    for (const pieces of [1, 511, 512, 513, 100_000]) {
      expect(await read(tar, pieces)).toMatchObject([
        {
          name: 'a',
          type: 'file',
          size: 513,
          mode: 0o4755,
          mtime: 1_700_000_000,
          content: 'x'.repeat(513),
        },
        { name: 'd/', type: 'folder', size: 0, content: '' },
        { name: 'd/b', type: 'file', content: 'y' },
      ]);
    }
  });

  test('readTar() skips unread content, and the rest of a partly read one', async () => {
    const tar = buildTar([
      { name: 'a', content: 'x'.repeat(2000) },
      { name: 'b', content: 'y'.repeat(2000) },
      { name: 'c', content: 'z' },
    ]);
    const names: string[] = [];
    for await (const { file, content } of readTar(inPieces(tar, 100))) {
      names.push(file.name);
      if (file.name === 'b') for await (const chunk of content) if (chunk.byteLength > 0) break;
    }
    expect(names).toEqual(['a', 'b', 'c']);
  });

  test('readTar() finds the same files as indexTar()', async () => {
    const name = fc.stringMatching(/^[a-z]{1,8}(?:\/[a-z]{1,8}){0,3}$/);
    const member: fc.Arbitrary<TarMember> = fc.record({
      name,
      content: fc.string({ maxLength: 1500 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(member, { selector: ({ name: key }) => key, maxLength: 6 }),
        fc.integer({ min: 1, max: 2000 }),
        async (members, pieces) => {
          const tar = buildTar(members);
          const { entries } = await indexTar(inMemory(tar));
          const found = await read(tar, pieces);
          expect(found.map(({ name: at, size }) => ({ name: at, size }))).toEqual(
            [...entries.values()].map(({ name: at, size }) => ({ name: at, size })),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  test.each([
    ['a PAX path', [pax({ path: 'ä/long' }), { name: 'short' }], 'ä/long'],
    [
      'a GNU long name',
      [
        { name: '././@LongLink', typeflag: 'L', content: `${'n'.repeat(150)}\0` },
        { name: 'short' },
      ],
      'n'.repeat(150),
    ],
    ['a ustar prefix', [{ name: 'tail', prefix: 'long/folder' }], 'long/folder/tail'],
    ['a global header', [pax({ path: 'all' }, 'g'), { name: 'short' }], 'all'],
  ] as const)('readTar() takes the name from %s', async (_, members, name) => {
    expect((await read(buildTar(members))).map((file) => nameText(file.name ?? ''))).toEqual([
      name,
    ]);
  });

  test('readTar() keeps PAX records, so that attributes and times are not lost', async () => {
    const records = { 'SCHILY.xattr.security.capability': 'x', mtime: '1700000000.25' };
    const [file] = await read(buildTar([pax(records), { name: 'a' }]));
    expect(file).toMatchObject({
      mtime: 1_700_000_000.25,
      records: new Map(Object.entries(records)),
    });
  });

  test('readTar() reads to the end of the content, so that its digest can be verified', async () => {
    const tar = Buffer.concat([buildTar([{ name: 'a' }]), Buffer.from('behind')]);
    let seen = 0;
    const counted: Bytes = {
      async *[Symbol.asyncIterator]() {
        for await (const chunk of inPieces(tar, 300)) {
          seen += chunk.byteLength;
          yield chunk;
        }
      },
    };
    for await (const { file } of readTar(counted)) expect(file.name).toBe('a');
    expect(seen).toBe(tar.byteLength);
  });

  test.each([
    ['nothing', new Uint8Array()],
    ['zeros only', new Uint8Array(1024)],
  ])('readTar() finds no file in %s', async (_, tar) => {
    expect(await read(tar)).toEqual([]);
  });

  test.each([
    [
      'is cut in a header',
      (tar: Uint8Array) => tar.subarray(0, 300),
      /expected a header of 512 bytes, found 300 bytes and the end/,
    ],
    [
      'is cut in the content',
      (tar: Uint8Array) => tar.subarray(0, 600),
      /expected 1000 bytes of "a", found the end/,
    ],
    [
      'is other bytes',
      () => Buffer.alloc(2000, 'x'),
      /at byte 0: expected a tar, found other bytes/,
    ],
    ['has a sparse file', () => buildTar([{ name: 's', typeflag: 'S' }]), /found a sparse one/],
    [
      'has a file of an unknown type',
      () => buildTar([{ name: 's', typeflag: 'Z' }]),
      /found type "Z"/,
    ],
    [
      'has an extension of nothing',
      () => buildTar([pax({ path: 'x' })]),
      /expected the entry of the extension header before/,
    ],
    [
      'has an extension header that is too large',
      () => buildTar([{ name: 'x', typeflag: 'x', size: 2_000_000 }]),
      /at most 1048576 bytes, found 2000000/,
    ],
  ])('readTar() throws when the tar %s', async (_, change, message) => {
    await expect(
      read(change(buildTar([{ name: 'a', content: 'x'.repeat(1000) }]))),
    ).rejects.toThrow(message);
  });

  test('readTar() closes its content when its reader leaves early', async () => {
    let closed = false;
    const content: Bytes = {
      async *[Symbol.asyncIterator]() {
        try {
          yield buildTar([{ name: 'a' }]);
        } finally {
          closed = true;
        }
      },
    };
    for await (const { file } of readTar(content)) if (file.name === 'a') break;
    expect(closed).toBe(true);
  });
});

describe('encodeFileHeader()', () => {
  const latin1 = fc
    .array(
      fc.integer({ min: 1, max: 255 }).filter((code) => code !== 0x2f),
      { minLength: 1, maxLength: 300 },
    )
    .map((codes) => String.fromCharCode(...codes));

  test('encodeFileHeader() writes headers that readTar() reads, with any bytes in names', async () => {
    const file = fc.record({
      type: fc.constantFrom('symlink' as const, 'hardlink' as const),
      name: latin1,
      link: latin1,
      size: fc.constant(0),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: fc.integer({ min: 0, max: 2 ** 32 }),
      gid: fc.integer({ min: 0, max: 2 ** 32 }),
      user: fc.constant('root'),
      group: fc.constant('staff'),
      mtime: fc.integer({ min: 0, max: 2 ** 32 }),
      major: fc.constant(0),
      minor: fc.constant(0),
    });
    await fc.assert(
      fc.asyncProperty(file, async (written) => {
        const tar = Buffer.concat([
          encodeFileHeader({ ...written, records: new Map() }),
          new Uint8Array(1024),
        ]);
        const found: TarFile[] = [];
        for await (const streamed of readTar(bytesOf(tar))) found.push(streamed.file);
        expect(found).toEqual([{ ...written, records: expect.any(Map) as unknown }]);
      }),
    );
  });

  test('parseHeader() reads the fields of a device', () => {
    const header = encodeFileHeader({ ...DEVICE });
    expect(parseHeader(header)).toMatchObject({
      kind: 'header',
      header: { typeflag: '3', major: 5, minor: 1, mode: 0o620 },
    });
  });

  const DEVICE: TarFile = {
    type: 'character',
    name: 'dev/console',
    link: '',
    size: 0,
    mode: 0o620,
    uid: 0,
    gid: 5,
    user: '',
    group: 'tty',
    mtime: 0,
    major: 5,
    minor: 1,
    records: new Map(),
  };
});

test('nameText() and nameOf() are each other’s way back', () => {
  for (const name of ['plain', 'ünïcode', '山田']) expect(nameText(nameOf(name))).toBe(name);
});
