import { statSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { openLayout, type LayoutStore } from '../../../src/stores/layout/oci-layout.ts';
import { storeContract } from '../../contract/store-contract.ts';
import { makeArtifact, makeImage } from '../../support/images/images.ts';
import { instantClock, realClock } from '../../support/clock.ts';
import {
  assertNoLeftovers,
  readIndexJson,
  writeBlob,
  writeLayout,
} from '../../support/images/layout-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll } from '../../support/registries/watched.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const IMAGE_NAME = 'io.containerd.image.name';

storeContract(
  'oci-layout',
  async () => {
    const folder = temporaryFolder('layout');
    return {
      store: await openLayout(folder, { create: true, clock: realClock }),
      close: async () => assertNoLeftovers(folder),
    };
  },
  { mounts: false },
);

function open(folder: string): Promise<LayoutStore> {
  return openLayout(folder, { create: false, clock: instantClock() });
}

function create(folder: string): Promise<LayoutStore> {
  return openLayout(folder, { create: true, clock: instantClock() });
}

describe('resolve()', () => {
  const [first, second] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];

  function layoutOf(...names: readonly Readonly<Record<string, string>>[]): string {
    const roots = [first.root, second.root];
    const folder = writeLayout({
      schemaVersion: 2,
      manifests: names.map((annotations, at) => ({ ...roots[at], annotations })),
    });
    for (const { bytes } of [...first.nodes.values(), ...second.nodes.values()])
      writeBlob(folder, bytes);
    return folder;
  }

  test.each([
    ['a tag', { [REF_NAME]: 'v1' }, 'v1'],
    ['a full reference', { [REF_NAME]: 'registry.example/app:v1' }, 'registry.example/app:v1'],
    [
      "containerd's name",
      { [REF_NAME]: 'v1', [IMAGE_NAME]: 'docker.io/library/app:v1' },
      'docker.io/library/app:v1',
    ],
    [
      "the tag beside containerd's name",
      { [REF_NAME]: 'v1', [IMAGE_NAME]: 'docker.io/library/app:v1' },
      'v1',
    ],
    ['a tag with its digest', { [REF_NAME]: 'v1' }, `v1@${first.root.digest}`],
    ['nothing, the only image', { [REF_NAME]: 'v1' }, ''],
    ['nothing, the only image, which has no name', {}, ''],
  ])('finds an image by %s', async (_, annotations, reference) => {
    const store = await open(layoutOf(annotations));
    expect(await store.resolve(reference)).toEqual(first.root);
  });

  test('takes the digest and not the tag when a reference has both', async () => {
    const store = await open(layoutOf({ [REF_NAME]: 'v1' }, { [REF_NAME]: 'v2' }));
    expect(await store.resolve(`v1@${second.root.digest}`)).toEqual(second.root);
  });

  test('refuses to choose between two images of one tag', async () => {
    const store = await open(
      layoutOf(
        { [REF_NAME]: '1', [IMAGE_NAME]: 'docker.io/a:1' },
        { [REF_NAME]: '1', [IMAGE_NAME]: 'docker.io/b:1' },
      ),
    );
    await expect(store.resolve('1')).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('"docker.io/a:1", "docker.io/b:1"'),
    });
    expect(await store.resolve('docker.io/b:1')).toEqual(second.root);
  });

  test('says the names when there are several images and none is named', async () => {
    const store = await open(layoutOf({ [REF_NAME]: 'v1' }, { [REF_NAME]: 'v2' }));
    await expect(store.resolve('')).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('"v1", "v2"'),
    });
  });

  test('takes the only image although it has two names', async () => {
    const store = await create(temporaryFolder('layout'));
    await first.pushAll(store, 'v1');
    await store.tag(first.root, 'v2');
    expect(await store.resolve('')).toEqual(first.root);
  });

  test('takes the only image although it has referrers', async () => {
    const store = await create(temporaryFolder('layout'));
    await first.pushAll(store, 'v1');
    await makeArtifact({ subject: first.root }).pushAll(store);
    expect(await store.resolve('')).toEqual(first.root);
  });

  test('says the names when there is no such image', async () => {
    const store = await open(layoutOf({ [REF_NAME]: 'v1' }));
    await expect(store.resolve('v2')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: 'it holds "v1"',
    });
  });

  test('fails with NOT_FOUND in an empty layout', async () => {
    const store = await create(temporaryFolder('layout'));
    await expect(store.resolve('')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: 'it holds no named images',
    });
  });

  test('takes no layer for a manifest', async () => {
    const store = await open(layoutOf({ [REF_NAME]: 'v1' }));
    await expect(store.resolve(first.layers[0]?.digest ?? '')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('tag()', () => {
  test('keeps members and entries that it does not know', async () => {
    const image = makeImage();
    const foreign = {
      mediaType: 'application/vnd.example',
      digest: `blake3:${'0'.repeat(64)}`,
      size: 1,
      'org.example': [1],
      annotations: { [REF_NAME]: 'x', 'org.example.a': 'b' },
    };
    const folder = writeLayout({
      schemaVersion: 2,
      'org.example': { kept: true },
      annotations: { a: 'b' },
      manifests: [foreign],
    });
    await image.pushAll(await open(folder), 'v1');
    expect(readIndexJson(folder)).toEqual({
      schemaVersion: 2,
      'org.example': { kept: true },
      annotations: { a: 'b' },
      manifests: [foreign, { ...image.root, annotations: { [REF_NAME]: 'v1' } }],
    });
  });

  test('replaces the entry of the same name', async () => {
    const folder = temporaryFolder('layout');
    const store = await create(folder);
    await makeImage({ seed: 1 }).pushAll(store, 'v1');
    await makeImage({ seed: 2 }).pushAll(store, 'v1');
    expect(readIndexJson(folder).manifests.map(({ digest }) => digest)).toEqual([
      makeImage({ seed: 2 }).root.digest,
    ]);
  });

  test('gives a full reference to containerd too', async () => {
    const folder = temporaryFolder('layout');
    await makeImage().pushAll(await create(folder), 'registry.example/app:v1');
    expect(readIndexJson(folder).manifests[0]?.annotations).toEqual({
      [REF_NAME]: 'registry.example/app:v1',
      [IMAGE_NAME]: 'registry.example/app:v1',
    });
  });

  test('keeps another image of the same tag under its full name', async () => {
    const old = makeImage({ seed: 1 });
    const folder = writeLayout({
      schemaVersion: 2,
      manifests: [{ ...old.root, annotations: { [REF_NAME]: '1', [IMAGE_NAME]: 'docker.io/a:1' } }],
    });
    const store = await open(folder);
    const young = makeImage({ seed: 2 });
    await young.pushAll(store, '1');
    expect([await store.resolve('1'), await store.resolve('docker.io/a:1')]).toEqual([
      young.root,
      old.root,
    ]);
  });

  test('lists a manifest under no name when given none', async () => {
    const folder = temporaryFolder('layout');
    const store = await create(folder);
    await makeImage().pushAll(store, '');
    await store.tag(makeImage().root, makeImage().root.digest);
    expect(readIndexJson(folder).manifests).toEqual([makeImage().root]);
  });

  test('names an unnamed entry, and keeps its other members', async () => {
    const image = makeImage();
    const folder = writeLayout({
      schemaVersion: 2,
      manifests: [{ ...image.root, annotations: { 'org.example.a': 'b' } }],
    });
    await image.pushAll(await open(folder), 'v1');
    expect(readIndexJson(folder).manifests).toEqual([
      { ...image.root, annotations: { 'org.example.a': 'b', [REF_NAME]: 'v1' } },
    ]);
  });

  test('writes nothing when the name exists already', async () => {
    const folder = temporaryFolder('layout');
    const store = await create(folder);
    await makeImage().pushAll(store, 'v1');
    const before = statSync(join(folder, 'index.json'), { bigint: true });
    await store.tag(makeImage().root, 'v1');
    expect(statSync(join(folder, 'index.json'), { bigint: true }).ino).toBe(before.ino);
  });

  test('loses no name when many are given at once', async () => {
    const store = await create(temporaryFolder('layout'));
    const image = makeImage();
    await image.pushAll(store);
    const names = Array.from({ length: 20 }, (_, at) => `v${at}`);
    await Promise.all(names.map((name) => store.tag(image.root, name)));
    expect((await listAll(store.listTags())).toSorted()).toEqual(names.toSorted());
  });
});
