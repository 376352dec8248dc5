import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { createMemoryPlace } from '../../../src/stores/memory.ts';
import { countingPlace, type CountingPlace } from '../../support/registries/counting-place.ts';
import { startFakeRegistry, type FakeRegistry } from '../../support/registries/fake-registry.ts';
import { makeImage, type TestImage } from '../../support/images/images.ts';
import { runRegi, spawnRegi } from '../../support/cli/regi.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MIB = 1024 * 1024;
const KILLS = 5;

interface Source {
  readonly registry: FakeRegistry;
  readonly place: CountingPlace;
  readonly args: readonly string[];
  /** Of all blobs, each once. */
  readonly bytes: number;
  readonly manifestBytes: number;
}

async function sourceOf(...images: readonly TestImage[]): Promise<Source> {
  const memory = createMemoryPlace();
  for (const [at, image] of images.entries()) await image.pushAll(memory.open('team/app'), `${at}`);
  const place = countingPlace(memory);
  const registry = await startFakeRegistry({ place });
  const nodes = new Map(images.flatMap((image) => [...image.nodes]));
  const roots = new Set(images.map(({ root }) => root.digest));
  const size = (isRoot: boolean): number =>
    [...nodes.values()]
      .filter(({ descriptor }) => roots.has(descriptor.digest) === isRoot)
      .reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
  const references = images.map((_, at) => `${registry.host}/team/app:${at}`);
  return {
    registry,
    place,
    args: ['export', '--concurrency', '2', ...references, '-o', 'b.tar'],
    bytes: size(false),
    manifestBytes: size(true),
  };
}

/** What the journal of an export that was killed says is there. */
function notedBytes(cwd: string): number {
  const path = join(cwd, 'b.tar.part.journal');
  if (!existsSync(path)) return 0;
  const noted = new Map<string, number>();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [, part, size] = /^(\d+) (\d+)\.$/.exec(line) ?? [];
    if (part !== undefined) noted.set(part, Number(size));
  }
  return [...noted.values()].reduce((sum, size) => sum + size, 0);
}

/** Kills an export when it has read that many bytes of blobs, and runs it again. */
async function killedAt(
  { place, args, manifestBytes }: Source,
  at: number,
): Promise<{ readonly cwd: string; readonly noted: number; readonly fetched: number }> {
  const cwd = temporaryFolder('killed');
  const running = spawnRegi(args, { cwd });
  place.strikeAt(manifestBytes + at, () => running.process.kill('SIGKILL'));
  expect((await running.finished).status).toBe(137);
  expect(readdirSync(cwd)).not.toContain('b.tar');
  const noted = notedBytes(cwd);
  place.forget();
  const again = await runRegi(args, { cwd });
  expect(again).toMatchObject({ status: 0 });
  return { cwd, noted, fetched: place.bytes() - manifestBytes };
}

describe('an export that was killed', () => {
  const layers = Array.from({ length: 8 }, () => 300_000);
  const images = [
    makeImage({ seed: 1, layers }),
    makeImage({ seed: 1, layers: [...layers, 300_000] }),
  ];
  let source: Source;
  let whole: Uint8Array;

  beforeAll(async () => {
    source = await sourceOf(...images);
    const cwd = temporaryFolder('whole');
    await runRegi(source.args, { cwd });
    whole = readFileSync(join(cwd, 'b.tar'));
  });

  const share = Array.from({ length: KILLS }, () => Math.random());
  test.each(share)(
    'at %f of its bytes fetches only missing bytes, and makes the same archive',
    async (part) => {
      const { cwd, noted, fetched } = await killedAt(
        source,
        Math.max(1, Math.floor(part * source.bytes)),
      );
      expect(fetched).toBe(source.bytes - noted);
      expect(readFileSync(join(cwd, 'b.tar')).equals(whole)).toBe(true);
      expect(readdirSync(cwd)).toEqual(['b.tar']);
      expect(await runRegi(['verify', 'archive:b.tar'], { cwd })).toMatchObject({ status: 0 });
    },
  );

  test('late keeps the blobs that were there', async () => {
    const { noted } = await killedAt(source, Math.floor(0.9 * source.bytes));
    expect(noted).toBeGreaterThan(source.bytes / 2);
  });

  test('in the middle of a large layer resumes in that layer', async () => {
    const large = await sourceOf(makeImage({ seed: 3, layers: [48 * MIB] }));
    const { cwd, noted, fetched } = await killedAt(large, 40 * MIB);
    expect(noted).toBeGreaterThanOrEqual(16 * MIB);
    expect(fetched).toBe(large.bytes - noted);
    expect(await runRegi(['verify', '--deep', 'archive:b.tar'], { cwd })).toMatchObject({
      status: 0,
    });
  });
});
