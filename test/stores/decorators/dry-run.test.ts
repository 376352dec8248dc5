import { describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { canDelete, canListTags, canMount, canUntag } from '../../../src/store.ts';
import { dryRun } from '../../../src/stores/decorators/dry-run.ts';
import { createMemoryPlace, createMemoryStore } from '../../../src/stores/memory.ts';
import { storeContract } from '../../contract/store-contract.ts';
import { makeBlob, makeImage } from '../../support/images/images.ts';
import { listAll, watched } from '../../support/registries/watched.ts';

storeContract(
  'dry-run',
  async () => {
    const place = createMemoryPlace();
    const seed = place.open('app');
    return { store: dryRun(seed), seed, sibling: place.open('base') };
  },
  { keepsContent: false },
);

describe('dryRun()', () => {
  test('push() writes nothing and opens no content', async () => {
    const inner = createMemoryStore();
    const { descriptor, bytes } = makeBlob(10);
    const content = watched(bytesOf(bytes));
    await dryRun(inner).push(descriptor, content.content);
    expect([content.opened(), await inner.exists(descriptor)]).toEqual([0, false]);
  });

  test('tag() leaves the name of the store where it is', async () => {
    const inner = createMemoryStore();
    const [old, young] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    await old.pushAll(inner, 'v1');
    const dry = dryRun(inner);
    await young.pushAll(dry, 'v1');
    expect([await dry.resolve('v1'), await inner.resolve('v1')]).toEqual([young.root, old.root]);
  });

  test('mount() returns mounted and mounts nothing', async () => {
    const inner = createMemoryStore();
    const dry = dryRun(inner);
    const { descriptor } = makeBlob(10);
    const outcome = canMount(dry) ? await dry.mount(descriptor, 'base', undefined) : 'refused';
    expect([outcome, await dry.exists(descriptor), await inner.exists(descriptor)]).toEqual([
      'mounted',
      true,
      false,
    ]);
  });

  test('delete() and untag() remove nothing', async () => {
    const inner = createMemoryStore();
    const image = makeImage();
    await image.pushAll(inner, 'v1');
    await inner.tag(image.root, 'v2');
    const dry = dryRun(inner);
    if (canUntag(dry)) await dry.untag('v1');
    if (canDelete(dry)) await dry.delete(image.root);
    expect([await inner.resolve('v1'), await inner.exists(image.root)]).toEqual([image.root, true]);
  });

  test('listTags() omits the names of images that would be deleted', async () => {
    const inner = createMemoryStore();
    const [first, second] = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
    await first.pushAll(inner, 'v1');
    await second.pushAll(inner, 'v2');
    const dry = dryRun(inner);
    if (canDelete(dry)) await dry.delete(first.root);
    expect(canListTags(dry) && (await listAll(dry.listTags()))).toEqual(['v2']);
  });
});
