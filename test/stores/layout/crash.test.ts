import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';
import { beforeAll, describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { openLayout } from '../../../src/stores/layout/oci-layout.ts';
import { systemProcesses } from '../../../src/disk/processes.ts';
import { TempFiles } from '../../../src/disk/temp-files.ts';
import { makeBlob, makeImage } from '../../support/images/images.ts';
import { damagedBlobs, leftovers, readIndexJson } from '../../support/images/layout-folder.ts';
import { realClock } from '../../support/clock.ts';
import { startProgram, type Running } from '../../support/programs/run-program.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

let program: string;

beforeAll(async () => {
  program = join(temporaryFolder('writer'), 'writer.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, '../../support/images/layout-writer.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
  });
});

function startWriter(folder: string, name: string, count: number): Running {
  return startProgram(process.execPath, [program, folder, name, String(count)], { env: {} });
}

/** Kills the writer when it has said `lines` lines. */
async function killAfter(writer: Running, lines: number): Promise<void> {
  writer.process.stdout.on('data', () => {
    if (writer.output.stdout.split('\n').length > lines) writer.process.kill('SIGKILL');
  });
  await writer.finished;
}

describe('lay-crash', () => {
  test('push() removes the files of a killed process', async () => {
    const folder = temporaryFolder('layout');
    const store = await openLayout(folder, { create: true, clock: realClock });
    const gone = {
      ...systemProcesses,
      self: async () => ({ ...(await systemProcesses.self()), pid: 4_194_305 }),
    };
    writeFileSync(await new TempFiles(folder, gone).next(), 'half a blob');
    const { descriptor, bytes } = makeBlob(10);
    await store.push(descriptor, bytesOf(bytes));
    expect(leftovers(folder)).toEqual([]);
  });

  test('push() keeps files that a living process or another machine is writing', async () => {
    const folder = temporaryFolder('layout');
    const store = await openLayout(folder, { create: true, clock: realClock });
    const elsewhere = {
      ...systemProcesses,
      self: async () => ({ ...(await systemProcesses.self()), pid: 4_194_305, host: 'another' }),
    };
    writeFileSync(await new TempFiles(folder, systemProcesses).next(), 'ours');
    writeFileSync(await new TempFiles(folder, elsewhere).next(), 'theirs');
    const { descriptor, bytes } = makeBlob(10);
    await store.push(descriptor, bytesOf(bytes));
    expect(leftovers(folder)).toHaveLength(2);
  });

  test('a layout with unfinished files reads as if they were not there', async () => {
    const folder = temporaryFolder('layout');
    await makeImage().pushAll(await openLayout(folder, { create: true, clock: realClock }), 'v1');
    writeFileSync(join(folder, '.regi-tmp.1.2.0123456789abcdef.00'), 'half a blob');
    const store = await openLayout(folder, { create: false, clock: realClock });
    expect(await listAll(store.listTags())).toEqual(['v1']);
  });

  test.each([1, 3, 6])(
    'a writer killed after %i images leaves only whole blobs, and the next one continues',
    async (lines) => {
      const folder = temporaryFolder('layout');
      await killAfter(startWriter(folder, 'a', 1000), lines);
      expect(damagedBlobs(folder)).toEqual([]);
      const { status, stderr } = await startWriter(folder, 'b', 2).finished;
      expect([status, stderr, leftovers(folder)]).toEqual([0, '', []]);
      expect(readIndexJson(folder).manifests.length).toBeGreaterThanOrEqual(lines + 2);
    },
  );
});

describe('several processes on one layout', () => {
  test('take over the lock of a killed process without losing an image', async () => {
    const folder = temporaryFolder('layout');
    await openLayout(folder, { create: true, clock: realClock });
    writeFileSync(
      join(folder, '.regi.lock'),
      JSON.stringify({ ...(await systemProcesses.self()), pid: 4_194_305 }),
    );
    const names = ['a', 'b', 'c', 'd'];
    const ends = await Promise.all(names.map((name) => startWriter(folder, name, 2).finished));
    expect(ends.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
    const tags = await listAll(
      (await openLayout(folder, { create: false, clock: realClock })).listTags(),
    );
    expect([tags.toSorted(), leftovers(folder)]).toEqual([
      names.flatMap((name) => [`${name}-0`, `${name}-1`]),
      [],
    ]);
  });

  test('end with every image of both, whole', async () => {
    const folder = join(temporaryFolder('layout'), 'new');
    const ends = await Promise.all(['a', 'b'].map((name) => startWriter(folder, name, 8).finished));
    expect(ends.map(({ status, stderr }) => [status, stderr])).toEqual([
      [0, ''],
      [0, ''],
    ]);
    const store = await openLayout(folder, { create: false, clock: realClock });
    expect((await listAll(store.listTags())).toSorted()).toEqual(
      ['a', 'b'].flatMap((name) => Array.from({ length: 8 }, (_, at) => `${name}-${at}`)),
    );
    for (let seed = 0; seed < 8; seed += 1) {
      for (const { descriptor, bytes } of makeImage({ seed, layers: [200_000] }).nodes.values())
        expect(await readAll(store.fetch(descriptor))).toEqual(bytes);
    }
    expect([
      damagedBlobs(folder),
      leftovers(folder),
      existsSync(join(folder, '.regi.lock')),
      readdirSync(folder).toSorted(),
    ]).toEqual([[], [], false, ['blobs', 'index.json', 'oci-layout']]);
  });
});
