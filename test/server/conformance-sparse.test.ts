import { beforeAll, describe, expect, test } from 'vitest';

import { toDescriptorJson } from '../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../src/oci/media-types.ts';
import {
  conformanceClient,
  EMPTY,
  firstConfig,
  firstManifest,
  layer,
  manifests,
  NAME,
  PLACES,
  subject,
} from '../support/registries/conformance.ts';
import { startFakeRegistry, type FakeRegistry } from '../support/registries/fake-registry.ts';
import { nodeOf } from '../support/images/images.ts';

// The optional tests "sparse" of the conformance suite: an index without some of its images, and an
// image without some of its blobs.

const index = nodeOf(
  MEDIA_TYPE.ociIndex,
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociIndex,
      manifests: [firstManifest, subject].map(({ descriptor }) => toDescriptorJson(descriptor)),
    }),
  ),
);
const [, withoutBlobs = EMPTY] = manifests;

describe.each(PLACES)('A25: conformance "sparse" over %s', (_place, createPlace) => {
  const registries: FakeRegistry[] = [];

  beforeAll(async () => {
    const [sparse, strict] = [await createPlace(), await createPlace()];
    registries.push(
      await startFakeRegistry({ place: sparse, sparse: true }),
      await startFakeRegistry({ place: strict }),
    );
    return async () => {
      for (const registry of registries) await registry.stop();
      await sparse.close?.();
      await strict.close?.();
    };
  });

  const [{ send, pushBlob, putManifest }, strict] = [0, 1].map((at) =>
    conformanceClient(() => registries[at]?.url ?? ''),
  ) as [ReturnType<typeof conformanceClient>, ReturnType<typeof conformanceClient>];

  test('takes an index without one of its images, and serves it as it was pushed', async () => {
    for (const blob of [firstConfig, layer]) expect(await pushBlob(blob)).toBe(201);
    expect((await putManifest(firstManifest.descriptor.digest, firstManifest)).status).toBe(201);
    for (const reference of [index.descriptor.digest, 'sparse']) {
      expect((await putManifest(reference, index)).status).toBe(201);
      const { status, body } = await send('GET', `${NAME}/manifests/${reference}`);
      expect([status, Buffer.from(body).equals(index.bytes)]).toEqual([200, true]);
    }
    const present = await send('HEAD', `${NAME}/manifests/${firstManifest.descriptor.digest}`);
    const absent = await send('HEAD', `${NAME}/manifests/${subject.descriptor.digest}`);
    expect([present.status, absent.status]).toEqual([200, 404]);
    expect((await send('DELETE', `${NAME}/manifests/${index.descriptor.digest}`)).status).toBe(202);
    expect((await send('GET', `${NAME}/manifests/sparse`)).status).toBe(404);
  });

  test('takes an image before its blobs, by digest and by tag', async () => {
    for (const reference of [withoutBlobs.descriptor.digest, 'bare'])
      expect((await putManifest(reference, withoutBlobs)).status).toBe(201);
    expect((await send('GET', `${NAME}/manifests/bare`)).status).toBe(200);
  });

  test('refuses both where the registry is not sparse', async () => {
    for (const node of [index, withoutBlobs]) {
      const { status, body } = await strict.putManifest('a', node);
      expect([status, String(body)]).toEqual([
        400,
        expect.stringContaining('MANIFEST_BLOB_UNKNOWN'),
      ]);
    }
  });
});
