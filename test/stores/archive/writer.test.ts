import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { archiveAt } from '../../../src/stores/archive/writer.ts';
import type { Bytes } from '../../../src/store.ts';
import type {
  ArchivePart,
  ArchivePlan,
  ArchiveTarget,
  OpenAt,
} from '../../../src/tar/archive-target.ts';
import { planTar, tarBytes } from '../../../src/tar/plan-tar.ts';
import { makeBlob } from '../../support/images/images.ts';
import { instantClock } from '../../support/clock.ts';
import { poisoned } from '../../support/images/poison.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { readAll } from '../../support/registries/watched.ts';

const [first, second] = [makeBlob(40 * 1024 * 1024 + 5, 1), makeBlob(3000, 2)];
const note = Buffer.from('{}');
const plan: ArchivePlan = planTar<ArchivePart>([
  { kind: 'made', name: 'note.json', size: note.byteLength, bytes: note },
  { kind: 'node', name: 'first', size: first.bytes.byteLength, target: first.descriptor },
  { kind: 'node', name: 'second', size: second.bytes.byteLength, target: second.descriptor },
]);
const contents = new Map([
  ['note.json', new Uint8Array(note)],
  ['first', first.bytes],
  ['second', second.bytes],
]);

let path: string;

beforeEach(() => {
  path = join(temporaryFolder('archive'), 'images.tar');
});

function whole(): Promise<Uint8Array> {
  return readAll({
    [Symbol.asyncIterator]: () =>
      tarBytes(plan, ({ name }) => bytesOf(contents.get(name) ?? new Uint8Array())),
  });
}

const opening =
  (name: string): OpenAt =>
  (offset) =>
    poisoned((contents.get(name) ?? new Uint8Array()).subarray(offset), { chunkSize: 100_000 });

/** Writes all parts, those that `open` has by its own content; gives how much of each was kept. */
async function writeAll(open: Readonly<Record<string, OpenAt>> = {}): Promise<readonly number[]> {
  let kept: readonly number[] = [];
  await archiveAt(path, { clock: instantClock() })(plan, async (target) => {
    kept = await Promise.all(
      plan.files.map((place) =>
        fileTarget(target).write(place, open[place.file.name] ?? opening(place.file.name)),
      ),
    );
  });
  return kept;
}

function fileTarget(target: ArchiveTarget): Extract<ArchiveTarget, { kind: 'file' }> {
  if (target.kind !== 'file') throw new Error('Expected a file');
  return target;
}

/** A source that breaks off, as a killed run does. */
function breaking(bytes: Uint8Array): OpenAt {
  return (offset): Bytes => ({
    async *[Symbol.asyncIterator]() {
      yield* poisoned(bytes.subarray(offset), { chunkSize: 100_000 });
      throw new Error('killed');
    },
  });
}

describe('archiveAt()', () => {
  test('archiveAt() writes parts in any order to the bytes that a stream would have', async () => {
    expect(await writeAll()).toEqual([0, 0, 0]);
    expect(Buffer.compare(readFileSync(path), await whole())).toBe(0);
    expect(readdirSync(dirname(path))).toEqual(['images.tar']);
  });

  test('archiveAt() replaces an archive only when the new one is whole', async () => {
    writeFileSync(path, 'old');
    await expect(writeAll({ second: breaking(second.bytes.subarray(0, 100)) })).rejects.toThrow(
      'killed',
    );
    expect(readFileSync(path, 'utf8')).toBe('old');
    await writeAll();
    expect(readFileSync(path).byteLength).toBe(plan.size);
  });

  test('archiveAt() resumes where an earlier run was stopped', async () => {
    await expect(
      writeAll({ first: breaking(first.bytes.subarray(0, 35 * 1024 * 1024)) }),
    ).rejects.toThrow('killed');
    const offsets: number[] = [];
    const kept = await writeAll({
      first: (offset) => {
        offsets.push(offset);
        return opening('first')(offset);
      },
    });
    expect(offsets).toEqual([kept[1]]);
    expect(kept[1]).toBeGreaterThanOrEqual(32 * 1024 * 1024);
    expect(kept[2]).toBe(second.bytes.byteLength);
    expect(Buffer.compare(readFileSync(path), await whole())).toBe(0);
  });

  test.each([
    ['damaged', () => writeFileSync(`${path}.part`, Buffer.alloc(45 * 1024 * 1024, 1))],
    ['shorter than the journal says', () => truncateSync(`${path}.part`, 1024)],
  ])('archiveAt() restarts a part when the partial file is %s', async (_, damage) => {
    await expect(
      writeAll({ first: breaking(first.bytes.subarray(0, 35 * 1024 * 1024)) }),
    ).rejects.toThrow('killed');
    damage();
    expect(await writeAll()).toEqual([0, 0, 0]);
    const tar = await whole();
    for (const { file, offset } of plan.files) {
      expect(
        Buffer.compare(
          readFileSync(path).subarray(offset, offset + file.size),
          tar.subarray(offset, offset + file.size),
        ),
      ).toBe(0);
    }
  });

  test('archiveAt() restarts when another archive is planned', async () => {
    await expect(writeAll({ first: breaking(first.bytes) })).rejects.toThrow('killed');
    const other = planTar<ArchivePart>([{ kind: 'made', name: 'note.json', size: 2, bytes: note }]);
    await archiveAt(path, { clock: instantClock() })(other, async (target) => {
      if (other.files[0] !== undefined)
        await fileTarget(target).write(other.files[0], opening('note.json'));
    });
    expect(readFileSync(path).byteLength).toBe(other.size);
    expect(readdirSync(dirname(path))).toEqual(['images.tar']);
  });

  test.each([
    ['other bytes', makeBlob(3000, 9).bytes],
    ['more bytes', new Uint8Array(3001)],
    ['fewer bytes', new Uint8Array(2999)],
  ])('archiveAt() refuses a part of %s, and nothing is visible', async (_, bytes) => {
    await expect(writeAll({ second: () => bytesOf(bytes) })).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    expect(existsSync(path)).toBe(false);
  });

  test('archiveAt() rejects when the signal aborts while a source is silent', async () => {
    const controller = new AbortController();
    const reason = new Error('stop');
    const silent: Bytes = {
      async *[Symbol.asyncIterator]() {
        controller.abort(reason);
        await new Promise(() => undefined);
        yield new Uint8Array();
      },
    };
    const written = archiveAt(path, { clock: instantClock(), signal: controller.signal })(
      plan,
      async (target) => {
        const [, place] = plan.files;
        if (place !== undefined)
          await fileTarget(target).write(place, () => silent, { signal: controller.signal });
      },
    );
    await expect(written).rejects.toBe(reason);
    expect(existsSync(path)).toBe(false);
  });

  test('archiveAt() writes a pipe in order', async () => {
    const pipe = join(temporaryFolder('pipe'), 'out');
    execFileSync('mkfifo', [pipe]);
    const reading = readFile(pipe);
    await archiveAt(pipe, { clock: instantClock() })(plan, async (target) => {
      if (target.kind !== 'stream') throw new Error('Expected a stream');
      for await (const chunk of tarBytes(plan, ({ name }) =>
        bytesOf(contents.get(name) ?? new Uint8Array()),
      ))
        await target.write(chunk);
    });
    expect(Buffer.compare(await reading, await whole())).toBe(0);
  });
});

test('archiveAt() warns before the first byte when the disk is too small', async () => {
  const huge = { ...first.descriptor, size: 2 ** 50 };
  const told: number[] = [];
  const write = archiveAt(path, {
    clock: instantClock(),
    onShort: ({ wanted }) => told.push(wanted),
  });
  const stop = new Error('nothing is written');
  await expect(
    write(
      planTar<ArchivePart>([{ kind: 'node', name: 'huge', size: huge.size, target: huge }]),
      async () => {
        throw stop;
      },
    ),
  ).rejects.toBe(stop);
  expect(told).toEqual([expect.any(Number)]);
  expect(told[0]).toBeGreaterThan(2 ** 50 - 2 ** 20);
});

test('archiveAt() does not warn when there is enough space', async () => {
  const told: unknown[] = [];
  await archiveAt(path, { clock: instantClock(), onShort: (shortage) => told.push(shortage) })(
    plan,
    async () => undefined,
  );
  expect(told).toEqual([]);
});
