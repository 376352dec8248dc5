import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { createMemoryPlace, createMemoryStore } from '../../src/stores/memory.ts';
import { storeContract } from '../contract/store-contract.ts';
import { makeArtifact, makeBlob, makeImage } from '../support/images/images.ts';
import { listAll } from '../support/registries/watched.ts';

storeContract('memory', async () => {
  const place = createMemoryPlace();
  return { store: place.open('app'), sibling: place.open('base') };
});

describe('createMemoryPlace()', () => {
  test('lists the repositories that hold something', async () => {
    const place = createMemoryPlace('test');
    place.open('empty');
    const { descriptor, bytes } = makeBlob(10);
    await place.open('full').push(descriptor, bytesOf(bytes));
    expect(await listAll(place.repositories())).toEqual(['full']);
  });

  test('open() gives the same repository again', async () => {
    const place = createMemoryPlace('test');
    await makeImage().pushAll(place.open('app'), 'v1');
    expect(await place.open('app').resolve('v1')).toEqual(makeImage().root);
  });

  test('open() keeps the repositories apart', async () => {
    const place = createMemoryPlace('test');
    await makeImage().pushAll(place.open('app'), 'v1');
    await expect(place.open('other').resolve('v1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('createMemoryStore()', () => {
  test('resolve() says which names there are when one is missing', async () => {
    const store = createMemoryStore();
    await makeImage().pushAll(store, 'v1');
    await expect(store.resolve('v2')).rejects.toMatchObject({
      message: 'Cannot find "v2" in "memory"',
      hint: 'it holds "v1"',
    });
  });

  test('listReferrers() is not stopped by a manifest that cannot be read', async () => {
    const store = createMemoryStore();
    const image = makeImage();
    await image.pushAll(store, 'v1');
    const broken = makeBlob(100);
    await store.push(
      { ...broken.descriptor, mediaType: image.root.mediaType },
      bytesOf(broken.bytes),
    );
    await makeArtifact({ subject: image.root }).pushAll(store);
    expect(await listAll(store.listReferrers(image.root))).toHaveLength(1);
  });
});
