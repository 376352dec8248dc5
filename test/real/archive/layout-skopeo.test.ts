import { describe, expect, test } from 'vitest';

import { openLayout, type LayoutStore } from '../../../src/stores/layout/oci-layout.ts';
import { type TestImage, makeArtifact, makeImage, makeIndex } from '../../support/images/images.ts';
import { damagedBlobs } from '../../support/images/layout-folder.ts';
import { realClock } from '../../support/clock.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { skopeo } from '../../support/programs/skopeo.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

function create(folder: string): Promise<LayoutStore> {
  return openLayout(folder, { create: true, clock: realClock });
}

async function expectWhole(store: LayoutStore, image: TestImage): Promise<void> {
  for (const { descriptor, bytes } of image.nodes.values())
    expect(await readAll(store.fetch(descriptor))).toEqual(bytes);
}

describeReal('an image layout and skopeo', ['skopeo'], () => {
  describe('skopeo reads', () => {
    test.each([
      ['an image', makeImage(), false],
      ['an index with attestations', makeIndex({ attestations: true }), true],
    ])('%s that was written, by its tag', async (_, image, all) => {
      const [from, to] = [temporaryFolder('layout'), temporaryFolder('layout')];
      await image.pushAll(await create(from), 'v1');
      await skopeo.copy(`oci:${from}:v1`, `dir:${to}`, { all });
      expect(await skopeo.digest(`oci:${from}:v1`)).toBe(image.root.digest);
    });

    test('one of several images by its tag, and by its full reference', async () => {
      const folder = temporaryFolder('layout');
      const store = await create(folder);
      const [first, second] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
      await first.pushAll(store, 'v1');
      await second.pushAll(store, 'registry.example/app:v1');
      expect([
        await skopeo.digest(`oci:${folder}:v1`),
        await skopeo.digest(`oci:${folder}:registry.example/app:v1`),
      ]).toEqual([first.root.digest, second.root.digest]);
    });

    test('the only image without a name', async () => {
      const folder = temporaryFolder('layout');
      await makeImage().pushAll(await create(folder), '');
      expect(await skopeo.digest(`oci:${folder}`)).toBe(makeImage().root.digest);
    });

    test('a tag that was moved', async () => {
      const folder = temporaryFolder('layout');
      const store = await create(folder);
      await makeImage({ seed: 1 }).pushAll(store, 'v1');
      await makeImage({ seed: 2 }).pushAll(store, 'v1');
      expect(await skopeo.digest(`oci:${folder}:v1`)).toBe(makeImage({ seed: 2 }).root.digest);
    });
  });

  describe('skopeo writes', () => {
    test.each([
      ['an image', makeImage(), false],
      ['an index', makeIndex({ attestations: true }), true],
    ])('%s that is read by its tag', async (_, image, all) => {
      const [from, to] = [temporaryFolder('layout'), temporaryFolder('layout')];
      await image.pushAll(await create(from), 'v1');
      await skopeo.copy(`oci:${from}:v1`, `oci:${to}:v2`, { all });
      const store = await openLayout(to, { create: false, clock: realClock });
      expect([await store.resolve('v2'), await store.resolve('')]).toEqual([
        image.root,
        image.root,
      ]);
      await expectWhole(store, image);
    });

    test('into a layout beside existing images', async () => {
      const [from, to] = [temporaryFolder('layout'), temporaryFolder('layout')];
      const [first, second] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
      await first.pushAll(await create(from), 'v1');
      const store = await create(to);
      await second.pushAll(store, 'v2');
      await makeArtifact({ subject: second.root }).pushAll(store);
      await skopeo.copy(`oci:${from}:v1`, `oci:${to}:v1`);
      expect((await listAll(store.listTags())).toSorted()).toEqual(['v1', 'v2']);
      expect([await listAll(store.listReferrers(second.root)), damagedBlobs(to)]).toEqual([
        [expect.objectContaining({ artifactType: expect.any(String) })],
        [],
      ]);
    });
  });
});
