import { gzipSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { compressionOf, unpacked } from '../../src/tar/decompress.ts';
import { poisoned } from '../support/images/poison.ts';
import { randomBytes } from '../support/images/random-bytes.ts';
import { readAll } from '../support/registries/watched.ts';

/** `hello\n` by `zstd`, with a checksum. */
const ZSTD_HELLO = Buffer.from('28b52ffd240631000068656c6c6f0a', 'hex');
const HELLO = new Uint8Array(Buffer.from('hello\n'));
/**
 * The same without the checksum flag, as raw block of one segment: magic, descriptor 0x20, size 6,
 * last raw block of 6 bytes.
 */
const ZSTD_RAW = Buffer.from(`28b52ffd2006310000${Buffer.from(HELLO).toString('hex')}`, 'hex');
const SKIPPABLE = Buffer.from('502a4d1803000000aabbcc', 'hex');

describe('compressionOf()', () => {
  test.each([
    ['gzip', gzipSync('x')],
    ['zstd', ZSTD_HELLO],
    ['zstd', SKIPPABLE],
    ['xz', Buffer.from('fd377a585a0000', 'hex')],
    ['bzip2', Buffer.from('BZh9')],
    ['none', Buffer.from('hello')],
    ['none', Buffer.alloc(0)],
  ])('compressionOf() finds %s', (compression, bytes) => {
    expect(compressionOf(bytes)).toBe(compression);
  });
});

describe('unpacked()', () => {
  test.each([1, 100, 65_536])(
    'unpacked() reads gzip in borrowed chunks of %i bytes',
    async (chunkSize) => {
      const content = randomBytes(chunkSize === 1 ? 500 : 300_000, 1);
      expect(await readAll(unpacked(poisoned(gzipSync(content), { chunkSize }), 'gzip'))).toEqual(
        content,
      );
    },
  );

  test('bomb-multi-member: unpacked() reads several gzip members as one content', async () => {
    expect(
      Buffer.from(
        await readAll(
          unpacked(bytesOf(Buffer.concat([gzipSync('one '), gzipSync('two')])), 'gzip'),
        ),
      ).toString(),
    ).toBe('one two');
  });

  test.each([1, 5, 1000])(
    'unpacked() reads zstd frames, skippable ones too, in borrowed chunks of %i bytes',
    async (chunkSize) => {
      const frames = Buffer.concat([SKIPPABLE, ZSTD_RAW, ZSTD_RAW]);
      expect(
        Buffer.from(await readAll(unpacked(poisoned(frames, { chunkSize }), 'zstd'))).toString(),
      ).toBe('hello\nhello\n');
    },
  );

  test('unpacked() fails on gzip that is cut', async () => {
    await expect(
      readAll(unpacked(bytesOf(gzipSync(randomBytes(1000, 1)).subarray(0, 500)), 'gzip')),
    ).rejects.toMatchObject({ code: 'INVALID_ARCHIVE' });
  });

  test('unpacked() fails on zstd that is cut', async () => {
    await expect(
      readAll(unpacked(bytesOf(ZSTD_RAW.subarray(0, 12)), 'zstd')),
    ).rejects.toMatchObject({ code: 'INVALID_ARCHIVE' });
  });

  test.each([
    ['of a window', '28b52ffd00a8'],
    ['of one segment', '28b52ffde00000000000010000'],
  ])(
    'bomb-zstd-window: unpacked() refuses a frame that needs too much memory, by the size %s',
    async (_, hex) => {
      await expect(
        readAll(unpacked(bytesOf(Buffer.from(hex, 'hex')), 'zstd')),
      ).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    },
  );

  test('bomb-zstd-window: unpacked() looks at every frame', async () => {
    const frames = Buffer.concat([ZSTD_RAW, Buffer.from('28b52ffd00a8', 'hex')]);
    await expect(readAll(unpacked(bytesOf(frames), 'zstd'))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  test('unpacked() rejects with the error of the content', async () => {
    const problem = new Error('connection lost');
    const cut = {
      async *[Symbol.asyncIterator]() {
        yield gzipSync('x').subarray(0, 12);
        throw problem;
      },
    };
    await expect(readAll(unpacked(cut, 'gzip'))).rejects.toBe(problem);
  });

  test.each(['xz', 'bzip2'] as const)('unpacked() says that it does not read %s', (compression) => {
    expect(() => unpacked(bytesOf(HELLO), compression)).toThrow(/Cannot unpack/);
  });

  test('unpacked() can be left early', async () => {
    for await (const chunk of unpacked(bytesOf(gzipSync(new Uint8Array(10_000_000))), 'gzip'))
      if (chunk.byteLength > 0) break;
  });
});
