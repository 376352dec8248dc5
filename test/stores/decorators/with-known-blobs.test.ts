import { expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { withKnownBlobs } from '../../../src/stores/decorators/with-known-blobs.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { canMount } from '../../../src/store.ts';
import { makeBlob } from '../../support/images/images.ts';

const [known, other] = [makeBlob(10), makeBlob(20)];

test('withKnownBlobs() reports known blobs as existing, and requests all others', async () => {
  const store = withKnownBlobs(createMemoryStore(), new Set([known.descriptor.digest]));
  expect([await store.exists(known.descriptor), await store.exists(other.descriptor)]).toEqual([
    true,
    false,
  ]);
});

test('withKnownBlobs() leaves the rest of the store as it is', async () => {
  const store = withKnownBlobs(createMemoryStore(), new Set([known.descriptor.digest]));
  await store.push(other.descriptor, bytesOf(other.bytes));
  expect([await store.exists(other.descriptor), canMount(store)]).toEqual([true, true]);
});
