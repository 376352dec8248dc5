import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { parseReference } from '../../../src/oci/reference.ts';
import type { CopyEvent } from '../../../src/operations/copy/events.ts';
import { exportImages, type ExportOptions } from '../../../src/operations/archive/export-images.ts';
import type { ExportJob } from '../../../src/operations/archive/collect-images.ts';
import { archiveAt } from '../../../src/stores/archive/writer.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import type { Store } from '../../../src/store.ts';
import { indexTar } from '../../../src/tar/index-tar.ts';
import { openForTest } from '../../support/images/archives.ts';
import { makeArtifact, makeImage, makeIndex, type TestImage } from '../../support/images/images.ts';
import { instantClock } from '../../support/clock.ts';
import { inMemory } from '../../support/images/tar-builder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { readAll } from '../../support/registries/watched.ts';

async function storeOf(...images: readonly TestImage[]): Promise<Store> {
  const store = createMemoryStore();
  for (const [at, image] of images.entries()) await image.pushAll(store, `v${at}`);
  return store;
}

function job(source: Store, reference: string, name?: string): ExportJob {
  return {
    source,
    reference,
    image: name ?? reference,
    ...(name !== undefined && { name: parseReference(name) }),
  };
}

async function* listed(jobs: readonly ExportJob[]): AsyncGenerator<ExportJob> {
  yield* jobs;
}

/** Exports into a new file, and gives its path. */
async function exported(jobs: readonly ExportJob[], options: ExportOptions = {}): Promise<string> {
  const path = join(temporaryFolder('archive'), 'images.tar');
  await exportImages(listed(jobs), archiveAt(path, { clock: instantClock() }), options);
  return path;
}

async function memberOf(path: string, name: string): Promise<unknown> {
  const bytes = readFileSync(path);
  const entry = (await indexTar(inMemory(bytes))).find(name);
  return entry === undefined
    ? undefined
    : (JSON.parse(bytes.subarray(entry.offset, entry.offset + entry.size).toString()) as unknown);
}

describe('exportImages()', () => {
  test('writes every node with its digest', async () => {
    const index = makeIndex({ attestations: true });
    const path = await exported([job(await storeOf(index), 'v0', 'registry.example/app:1')]);
    const store = (await openForTest(path)).open('');
    expect(await store.resolve('registry.example/app:1')).toEqual(index.root);
    for (const { descriptor, bytes } of index.nodes.values())
      expect(await readAll(store.fetch(descriptor))).toEqual(bytes);
  });

  test('writes the same bytes for the same images, to a file and to a stream', async () => {
    const store = await storeOf(makeIndex(), makeImage({ seed: 1 }));
    const jobs = [job(store, 'v0', 'a.example/app:1'), job(store, 'v1', 'b.example/app:2')];
    const chunks: Buffer[] = [];
    await exportImages(listed(jobs), (_plan, work) =>
      work({ kind: 'stream', write: async (chunk) => void chunks.push(Buffer.from(chunk)) }),
    );
    const [one, two] = [readFileSync(await exported(jobs)), readFileSync(await exported(jobs))];
    expect([Buffer.compare(one, two), Buffer.compare(one, Buffer.concat(chunks))]).toEqual([0, 0]);
  });

  test('reads and writes a shared node once', async () => {
    const image = makeImage();
    const events: CopyEvent[] = [];
    const store = await storeOf(image, image);
    const path = await exported(
      [job(store, 'v0', 'a.example/app:1'), job(store, 'v1', 'b.example/app:2')],
      { onEvent: (event) => events.push(event) },
    );
    expect(events.filter(({ kind }) => kind === 'started')).toHaveLength(image.layers.length + 1);
    expect(events.filter(({ kind }) => kind === 'copied')).toHaveLength(image.nodes.size);
    expect(readFileSync(path).byteLength).toBeLessThan(20_000);
  });

  test('names an image by its tag if the tag is unique, else by its full reference', async () => {
    const store = await storeOf(
      makeImage({ seed: 1 }),
      makeImage({ seed: 2 }),
      makeImage({ seed: 3 }),
    );
    const path = await exported([
      job(store, 'v0', 'a.example/app:1'),
      job(store, 'v1', 'b.example/app:1'),
      job(store, 'v2', 'debian:12'),
      job(store, 'v2'),
    ]);
    const { manifests } = (await memberOf(path, 'index.json')) as {
      manifests: { annotations?: Record<string, string> }[];
    };
    expect(
      manifests.map(({ annotations }) => [
        annotations?.['org.opencontainers.image.ref.name'],
        annotations?.['io.containerd.image.name'],
      ]),
    ).toEqual([
      ['a.example/app:1', 'a.example/app:1'],
      ['b.example/app:1', 'b.example/app:1'],
      ['12', 'docker.io/library/debian:12'],
      [undefined, undefined],
    ]);
  });

  test('manifest.json has one entry per runnable image, with all its names in familiar form', async () => {
    const index = makeIndex({ attestations: true });
    const artifact = makeArtifact({ subject: index.root });
    const store = await storeOf(index, artifact);
    const path = await exported([
      job(store, 'v0', 'debian:12'),
      job(store, 'v0', 'registry.example/app:1'),
      job(store, 'v1'),
    ]);
    const [amd64] = index.images;
    expect(await memberOf(path, 'manifest.json')).toEqual([
      {
        Config: `blobs/${amd64?.config.digest.replace(':', '/')}`,
        RepoTags: ['debian:12', 'registry.example/app:1'],
        Layers: amd64?.layers.map(({ digest }) => `blobs/${digest.replace(':', '/')}`),
      },
    ]);
  });

  test('manifest.json names the requested platform, or the first one with a warning when it is missing', async () => {
    const index = makeIndex();
    const events: CopyEvent[] = [];
    const options = { onEvent: (event: CopyEvent) => void events.push(event) };
    const store = await storeOf(index);
    const configOf = async (path: string): Promise<unknown> =>
      ((await memberOf(path, 'manifest.json')) as { Config: string }[])[0]?.Config;
    const arm64 = await exported([job(store, 'v0', 'debian:12')], {
      ...options,
      dockerPlatform: { os: 'linux', architecture: 'arm64' },
    });
    expect(await configOf(arm64)).toBe(`blobs/${index.images[1]?.config.digest.replace(':', '/')}`);
    expect(events.filter(({ kind }) => kind === 'warning')).toEqual([]);
    const first = await exported([job(store, 'v0', 'debian:12')], {
      ...options,
      dockerPlatform: { os: 'linux', architecture: 's390x' },
    });
    expect(await configOf(first)).toBe(`blobs/${index.images[0]?.config.digest.replace(':', '/')}`);
    expect(events.filter(({ kind }) => kind === 'warning')).toHaveLength(1);
  });

  test('an archive that omits blobs has all manifests, a record, and no manifest.json', async () => {
    const image = makeImage();
    const [layer] = image.layers;
    const extra = [{ name: 'record.json', bytes: Buffer.from('{"left":"out"}') }];
    const path = await exported([job(await storeOf(image), 'v0', 'debian:12')], {
      omit: new Set(layer === undefined ? [] : [layer.digest]),
      extra,
    });
    const store = (await openForTest(path)).open('');
    expect([
      await store.exists(layer ?? image.root),
      await store.exists(image.root),
      await memberOf(path, 'manifest.json'),
      await memberOf(path, 'record.json'),
    ]).toEqual([false, true, undefined, { left: 'out' }]);
  });

  test("docker's format keeps the image id and layers", async () => {
    const image = makeImage({ format: 'docker' });
    const path = await exported([job(await storeOf(image), 'v0', 'debian:12')], {
      format: 'docker',
    });
    const archive = await openForTest(path);
    const store = archive.open('');
    const manifest = JSON.parse(
      Buffer.from(await readAll(store.fetch(await store.resolve('debian:12')))).toString(),
    ) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    expect([
      archive.format,
      manifest.config.digest,
      manifest.layers.map(({ digest }) => digest),
    ]).toEqual(['docker', image.config.digest, image.layers.map(({ digest }) => digest)]);
  });

  test('refuses two images of one name before anything is written', async () => {
    const store = await storeOf(makeImage({ seed: 1 }), makeImage({ seed: 2 }));
    await expect(
      exported([job(store, 'v0', 'debian:12'), job(store, 'v1', 'debian:12')]),
    ).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('throws when an image cannot be read', async () => {
    const store = await storeOf(makeImage());
    await expect(
      exported([job(store, 'v0', 'debian:12'), job(store, 'absent', 'debian:13')]),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('"debian:13"'),
    });
  });

  test('narrows an index to platforms', async () => {
    const index = makeIndex();
    const path = await exported([job(await storeOf(index), 'v0', 'debian:12')], {
      platforms: [{ os: 'linux', architecture: 'arm64' }],
    });
    expect(await (await openForTest(path)).open('').resolve('12')).toEqual(index.images[1]?.root);
  });

  test('throws the reason when the signal has aborted', async () => {
    const reason = new Error('stop');
    await expect(
      exported([job(await storeOf(makeImage()), 'v0')], { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
  });
});
