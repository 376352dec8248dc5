import { describe, expect, test } from 'vitest';

import { outcomeOf } from '../support/outcome.ts';
import { ZstdFrames } from '../../src/tar/zstd-frames.ts';

/** Magic, descriptor of one segment, size 6, one last raw block of 6 bytes. */
const FRAME = Buffer.from('28b52ffd2006310000', 'hex');
const HELLO = Buffer.concat([FRAME, Buffer.from('hello\n')]);
const SKIPPABLE = Buffer.from('502a4d1803000000aabbcc', 'hex');
const EMPTY_SKIPPABLE = Buffer.from('5f2a4d1800000000', 'hex');

describe('look()', () => {
  test('finds the end of each frame, skippable ones included', () => {
    expect(
      new ZstdFrames().look(Buffer.concat([SKIPPABLE, HELLO, EMPTY_SKIPPABLE, HELLO])),
    ).toEqual([11, 26, 34, 49]);
  });

  test('finds an end in the chunk in which it is, whatever came before', () => {
    const frames = new ZstdFrames();
    const bytes = Buffer.concat([HELLO, HELLO]);
    expect(
      [
        bytes.subarray(0, 10),
        bytes.subarray(10, 15),
        bytes.subarray(15, 16),
        bytes.subarray(16),
      ].map((chunk) => frames.look(chunk)),
    ).toEqual([[], [5], [], [14]]);
    expect(frames.atEnd).toBe(true);
  });

  test('finds no end in a frame that is cut', () => {
    const frames = new ZstdFrames();
    expect(frames.look(HELLO.subarray(0, -1))).toEqual([]);
    expect(frames.atEnd).toBe(false);
  });
});

test('A20: ZstdFrames refuses the window that its decoder cannot hold cheaply, and says what can', () => {
  const frame = Buffer.from('28b52ffd0070', 'hex');
  expect(() => new ZstdFrames().look(frame)).not.toThrow();
  expect(outcomeOf(() => new ZstdFrames(8 * 1024 * 1024).look(frame))).toMatchObject({
    code: 'LIMIT_EXCEEDED',
    hint: expect.stringContaining('Node 22.15'),
  });
});
