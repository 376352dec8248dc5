import { expect, test } from 'vitest';

import { RegiError } from '../../../src/errors.ts';
import { isManifestType } from '../../../src/oci/media-types.ts';
import { untagViaDummy } from '../../../src/operations/edit/untag-via-dummy.ts';
import { canDelete } from '../../../src/store.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { makeImage } from '../../support/images/images.ts';
import { readAll } from '../../support/registries/watched.ts';

/** zot refuses a manifest that has no layers. */
test('B14: untagViaDummy() removes a tag where a manifest needs a layer', async () => {
  const image = makeImage();
  const store = createMemoryStore();
  await image.pushAll(store, '1');
  await image.pushAll(store, '2');
  const strict = decorate(store, {
    push: async (expected, content, options) => {
      if (isManifestType(expected.mediaType)) {
        const { layers } = JSON.parse(Buffer.from(await readAll(content)).toString()) as {
          layers: readonly unknown[];
        };
        if (layers.length === 0) throw new RegiError('REFUSED', 'A manifest needs a layer');
      }
      await store.push(expected, content, options);
    },
  });

  if (!canDelete(strict)) throw new Error('A memory store deletes');
  await untagViaDummy(strict, '1', { unique: 'x' });

  await expect(store.resolve('1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect((await store.resolve('2')).digest).toBe(image.root.digest);
});
