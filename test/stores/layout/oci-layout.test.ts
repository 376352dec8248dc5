import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { openLayout, type LayoutStore } from '../../../src/stores/layout/oci-layout.ts';
import { storeContract } from '../../contract/store-contract.ts';
import { makeArtifact, makeBlob, makeImage, makeIndex } from '../../support/images/images.ts';
import { instantClock, realClock } from '../../support/clock.ts';
import {
  assertNoLeftovers,
  blobPath,
  readIndexJson,
  writeBlob,
  writeLayout,
} from '../../support/images/layout-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

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

describe('delete()', () => {
  test('removes the content that only this image needed, and returns the bytes that it freed', async () => {
    const folder = temporaryFolder('layout');
    const layout = await create(folder);
    const [image, twin] = [makeImage(), makeImage({ annotations: { note: 'the same layers' } })];
    await image.pushAll(layout, 'a');
    await twin.pushAll(layout, 'b');
    const shared = await layout.delete(image.root);
    const last = await layout.delete(twin.root);
    const layers = [...twin.nodes.values()].map(({ descriptor }) => descriptor.size);
    expect([shared.freedBytes, last.freedBytes]).toEqual([
      image.root.size,
      layers.reduce((sum, size) => sum + size, 0),
    ]);
    expect(readIndexJson(folder)['manifests']).toEqual([]);
  });

  test('refuses an image that an index is made of', async () => {
    const layout = await create(temporaryFolder('layout'));
    const index = makeIndex();
    await index.pushAll(layout, 'all');
    const child = index.images[0]?.root ?? index.root;
    await expect(layout.delete(child)).rejects.toMatchObject({ code: 'REFUSED' });
    expect(await layout.exists(child)).toBe(true);
  });
});

describe('keepUnnamed()', () => {
  test('lists an image under no name', async () => {
    const folder = temporaryFolder('layout');
    const layout = await create(folder);
    const image = makeImage();
    await image.pushAll(layout);
    await layout.keepUnnamed(image.root);
    await layout.keepUnnamed(image.root);
    expect(readIndexJson(folder)['manifests']).toEqual([image.root]);
  });
});

describe('openLayout()', () => {
  test('makes an empty layout in a folder that does not exist', async () => {
    const folder = join(temporaryFolder('layout'), 'new', 'layout');
    await create(folder);
    expect(JSON.parse(readFileSync(join(folder, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    expect(readIndexJson(folder)).toEqual({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [],
    });
  });

  test('opens a layout that it has made', async () => {
    const folder = temporaryFolder('layout');
    await makeImage().pushAll(await create(folder), 'v1');
    expect(await (await open(folder)).resolve('v1')).toEqual(makeImage().root);
  });

  test('fails with NOT_FOUND when the folder is missing', async () => {
    const folder = join(temporaryFolder('layout'), 'absent');
    await expect(open(folder)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(folder),
    });
    expect(existsSync(folder)).toBe(false);
  });

  test('fails with NOT_FOUND and lists the folder when oci-layout is missing', async () => {
    const folder = temporaryFolder('layout');
    writeFileSync(join(folder, 'notes.txt'), 'text');
    await expect(open(folder)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      hint: expect.stringContaining('"notes.txt"'),
    });
  });

  test('refuses to make a layout among other files', async () => {
    const folder = temporaryFolder('layout');
    writeFileSync(join(folder, 'notes.txt'), 'text');
    await expect(create(folder)).rejects.toMatchObject({ code: 'REFUSED' });
    expect(existsSync(join(folder, 'oci-layout'))).toBe(false);
  });

  test('fails with STORAGE_FAILED when the path leads through a file', async () => {
    const file = join(temporaryFolder('layout'), 'file');
    writeFileSync(file, 'text');
    await expect(create(join(file, 'layout'))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      errno: 'ENOTDIR',
    });
  });

  test.each(['', '{"sch', '[]', '{"manifests":7}'])(
    'explains how to repair an index.json that is %j',
    async (text) => {
      const folder = temporaryFolder('layout');
      await create(folder);
      writeFileSync(join(folder, 'index.json'), text);
      await expect(open(folder)).rejects.toMatchObject({
        code: 'INVALID_MANIFEST',
        hint: expect.stringContaining('put a copy of the file back'),
      });
    },
  );

  test('completes a layout whose maker was killed before it wrote index.json', async () => {
    const folder = temporaryFolder('layout');
    writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    await makeImage().pushAll(await create(folder), 'v1');
    expect(readIndexJson(folder).manifests).toHaveLength(1);
  });

  test('keeps the images of a layout that it opens to write', async () => {
    const folder = temporaryFolder('layout');
    await makeImage({ seed: 1 }).pushAll(await create(folder), 'v1');
    await makeImage({ seed: 2 }).pushAll(await create(folder), 'v2');
    expect(await listAll((await open(folder)).listTags())).toEqual(['v1', 'v2']);
  });
});

describe('push()', () => {
  test('does not write an existing blob again', async () => {
    const folder = temporaryFolder('layout');
    const store = await create(folder);
    const { descriptor, bytes } = makeBlob(1000);
    await store.push(descriptor, bytesOf(bytes));
    const before = statSync(blobPath(folder, descriptor.digest), { bigint: true });
    await store.push(descriptor, bytesOf(bytes));
    expect(statSync(blobPath(folder, descriptor.digest), { bigint: true }).ino).toBe(before.ino);
  });

  test('replaces a blob of the wrong size', async () => {
    const folder = temporaryFolder('layout');
    const store = await create(folder);
    const { descriptor, bytes } = makeBlob(1000);
    mkdirSync(join(folder, 'blobs', 'sha256'), { recursive: true });
    writeFileSync(blobPath(folder, descriptor.digest), bytes.subarray(0, 10));
    await store.push(descriptor, bytesOf(bytes));
    expect(await readAll(store.fetch(descriptor))).toEqual(bytes);
  });

  test('puts sha512 blobs into a folder of their own', async () => {
    const folder = temporaryFolder('layout');
    const { descriptor, bytes } = makeBlob(10, 1, 'sha512');
    await (await create(folder)).push(descriptor, bytesOf(bytes));
    expect(
      existsSync(join(folder, 'blobs', 'sha512', descriptor.digest.slice('sha512:'.length))),
    ).toBe(true);
  });
});

describe('fetch()', () => {
  test('fails with CONTENT_MISMATCH when the file has another size', async () => {
    const folder = temporaryFolder('layout');
    const store = await create(folder);
    const { descriptor, bytes } = makeBlob(1000);
    await store.push(descriptor, bytesOf(bytes));
    writeFileSync(blobPath(folder, descriptor.digest), Buffer.concat([bytes, bytes]));
    await expect(readAll(store.fetch(descriptor))).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
  });
});

describe('listReferrers()', () => {
  test('finds referrers in a nested index', async () => {
    const image = makeImage();
    const artifact = makeArtifact({ subject: image.root });
    const inner = { schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: [artifact.root] };
    const bytes = Buffer.from(JSON.stringify(inner));
    const folder = writeLayout({ schemaVersion: 2, manifests: [] });
    const nested = {
      mediaType: MEDIA_TYPE.ociIndex,
      digest: writeBlob(folder, bytes),
      size: bytes.byteLength,
    };
    writeFileSync(
      join(folder, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [nested] }),
    );
    for (const node of artifact.nodes.values()) writeBlob(folder, node.bytes);
    expect(
      (await listAll((await open(folder)).listReferrers(image.root))).map(({ digest }) => digest),
    ).toEqual([artifact.root.digest]);
  });

  test('finds a referrer whose tag was taken away or given to another', async () => {
    const store = await create(temporaryFolder('layout'));
    const image = makeImage();
    await image.pushAll(store, 'v1');
    for (const [seed, tag] of [
      [1, 'a'],
      [2, 'b'],
    ] as const)
      await makeArtifact({ subject: image.root, size: 10, seed }).pushAll(store, tag);
    await store.untag('a');
    await store.tag(image.root, 'b');
    expect(await listAll(store.listReferrers(image.root))).toHaveLength(2);
  });

  test('skips manifests that the layout lacks', async () => {
    const image = makeImage();
    const folder = writeLayout({ schemaVersion: 2, manifests: [makeIndex().root, image.root] });
    expect(await listAll((await open(folder)).listReferrers(image.root))).toEqual([]);
  });
});
