import {
  linkSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf, verified } from '../../../src/bytes.ts';
import { encodedOf } from '../../../src/oci/digest.ts';
import { openLayout, type LayoutStore } from '../../../src/stores/layout/oci-layout.ts';
import { systemProcesses, type Processes } from '../../../src/disk/processes.ts';
import { TempFiles } from '../../../src/disk/temp-files.ts';
import { makeBlob } from '../../support/images/images.ts';
import { blobPath, leftovers } from '../../support/images/layout-folder.ts';
import { realClock } from '../../support/clock.ts';
import { seekable } from '../../support/images/poison.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MIB = 1024 * 1024;
const { descriptor, bytes } = makeBlob(3 * MIB + 17);
const DAY_MS = 24 * 60 * 60_000;

/** A process that was killed; `host` when it ran on another machine. */
const killed = (host?: string): Processes => ({
  ...systemProcesses,
  self: async () => ({
    ...(await systemProcesses.self()),
    pid: 4_194_305,
    ...(host !== undefined && { host }),
  }),
});

let folder: string;
let store: LayoutStore;

beforeEach(async () => {
  folder = temporaryFolder('layout');
  store = await openLayout(folder, { create: true, clock: realClock });
});

/** What a killed process has left of the blob, `ageMs` ago. */
async function leave(
  content: Uint8Array,
  { host, ageMs = 0 }: { readonly host?: string; readonly ageMs?: number } = {},
): Promise<string> {
  const path = await new TempFiles(folder, killed(host), 'part').named(
    encodedOf(descriptor.digest),
  );
  writeFileSync(path, content);
  const at = new Date(Date.now() - ageMs);
  utimesSync(path, at, at);
  return path;
}

function stored(): Uint8Array {
  return new Uint8Array(readFileSync(blobPath(folder, descriptor.digest)));
}

describe('push() of a large blob', () => {
  test('resumes where a killed process stopped', async () => {
    await leave(bytes.subarray(0, 2 * MIB));
    const content = seekable(bytes);
    await store.push(descriptor, verified(content, descriptor));
    expect([content.openedAt, leftovers(folder)]).toEqual([[2 * MIB], []]);
    expect(Buffer.compare(stored(), bytes)).toBe(0);
  });

  test('resumes after its own failure, with every byte that had arrived', async () => {
    await expect(
      store.push(descriptor, seekable(bytes, { breaksAt: 2 * MIB + 5 })),
    ).rejects.toThrow('killed');
    const content = seekable(bytes);
    await store.push(descriptor, content);
    expect([content.openedAt, leftovers(folder)]).toEqual([[2 * MIB + 5], []]);
  });

  test('resumes at any byte with the same blob', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.byteLength }), async (cut) => {
        const other = temporaryFolder('layout');
        const target = await openLayout(other, { create: true, clock: realClock });
        await expect(target.push(descriptor, seekable(bytes, { breaksAt: cut }))).rejects.toThrow(
          'killed',
        );
        await target.push(descriptor, seekable(bytes));
        expect(Buffer.compare(readFileSync(blobPath(other, descriptor.digest)), bytes)).toBe(0);
      }),
      { numRuns: 12 },
    );
  });

  test.each([
    ['is damaged', Buffer.alloc(2 * MIB, 1)],
    ['is longer than the blob', Buffer.alloc(4 * MIB)],
    [
      'ends in zeros, as a loss of power leaves it',
      Buffer.concat([bytes.subarray(0, MIB), Buffer.alloc(MIB)]),
    ],
  ])('restarts when the partial blob %s', async (_, damaged) => {
    await leave(damaged);
    const content = seekable(bytes);
    await store.push(descriptor, content);
    expect(content.openedAt.at(-1)).toBe(0);
    expect(Buffer.compare(stored(), bytes)).toBe(0);
    expect(leftovers(folder)).toEqual([]);
  });

  test('keeps nothing of content with another digest', async () => {
    const { bytes: others } = makeBlob(bytes.byteLength, 9);
    await expect(store.push(descriptor, seekable(others))).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    expect([leftovers(folder), readdirSync(join(folder, 'blobs', 'sha256'))]).toEqual([[], []]);
  });

  test('keeps nothing of content that cannot be opened in its middle', async () => {
    const once = {
      [Symbol.asyncIterator]: () => seekable(bytes, { breaksAt: 2 * MIB })[Symbol.asyncIterator](),
    };
    await expect(store.push(descriptor, once)).rejects.toThrow('killed');
    expect(leftovers(folder)).toEqual([]);
  });

  test('keeps nothing of a small blob', async () => {
    const small = makeBlob(1000);
    await expect(
      store.push(small.descriptor, seekable(small.bytes, { breaksAt: 500 })),
    ).rejects.toThrow('killed');
    expect(leftovers(folder)).toEqual([]);
  });

  test('ignores a file that a living process is writing', async () => {
    const theirs = await new TempFiles(folder, systemProcesses, 'part').named('00');
    writeFileSync(theirs, 'half');
    const content = seekable(bytes);
    await store.push(descriptor, content);
    expect([content.openedAt, leftovers(folder)]).toEqual([[0], [theirs.slice(folder.length + 1)]]);
  });

  test('resumes a file of another machine after an hour of silence, and not before', async () => {
    await leave(bytes.subarray(0, 2 * MIB), { host: 'another' });
    const first = seekable(bytes, { breaksAt: 10 });
    await expect(store.push(descriptor, first)).rejects.toThrow('killed');
    await store.push(descriptor, seekable(bytes));
    const [left = ''] = leftovers(folder);
    await store.delete(descriptor);
    const old = new Date(Date.now() - 61 * 60_000);
    utimesSync(join(folder, left), old, old);
    const second = seekable(bytes);
    await store.push(descriptor, second);
    expect([first.openedAt, second.openedAt]).toEqual([[0], [2 * MIB]]);
  });

  test('removes partial blobs after a week', async () => {
    const { descriptor: other, bytes: otherBytes } = makeBlob(100, 5);
    await leave(bytes.subarray(0, MIB), { ageMs: 8 * DAY_MS });
    await store.push(other, bytesOf(otherBytes));
    expect(leftovers(folder)).toEqual([]);
  });

  test('writes one blob twice at once without sharing a file', async () => {
    await Promise.all([
      store.push(descriptor, seekable(bytes)),
      store.push(descriptor, seekable(bytes)),
    ]);
    expect(Buffer.compare(stored(), bytes)).toBe(0);
    expect(leftovers(folder)).toEqual([]);
  });

  test.each([
    ['symbolic link', symlinkSync],
    ['hard link', linkSync],
  ] as const)('does not write through a %s in its place', async (_, link) => {
    const precious = join(temporaryFolder('precious'), 'file');
    writeFileSync(precious, 'precious');
    link(
      precious,
      await new TempFiles(folder, killed(), 'part').named(encodedOf(descriptor.digest)),
    );
    await store.push(descriptor, seekable(bytes));
    expect(readFileSync(precious, 'utf8')).toBe('precious');
    expect(Buffer.compare(stored(), bytes)).toBe(0);
  });
});
