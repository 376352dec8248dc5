import { expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import type { ConnectionOptions } from '../../../src/registry/connection.ts';
import { referrersTag } from '../../../src/registry/referrers-index.ts';
import {
  createRegistryPlace,
  type RegistryPlace,
} from '../../../src/stores/registry/registry-place.ts';
import {
  startDockerRegistry,
  type DockerRegistry,
} from '../../support/registries/docker-registry.ts';
import { makeArtifact, makeBlob, makeImage, makeIndex } from '../../support/images/images.ts';
import { describeReal } from '../../support/programs/real-tools.ts';
import { testConnection } from '../../support/http/registry-connection.ts';
import { testTransport } from '../../support/http/transport.ts';
import { listAll, readAll } from '../../support/registries/watched.ts';

function placeOf(
  { host }: DockerRegistry,
  options: Partial<ConnectionOptions> = {},
): RegistryPlace {
  return createRegistryPlace({
    connection: testConnection(testTransport().send, {
      host,
      schemes: ['http', 'https'],
      ...options,
    }),
    access: 'write',
  });
}

/**
 * The statuses of the requests that cancel unfinished uploads. The registry keeps their empty
 * folders.
 */
async function cancels(registry: DockerRegistry): Promise<readonly number[]> {
  return (await registry.requests())
    .filter(({ method }) => method === 'DELETE')
    .map(({ status }) => status);
}

describeReal('a repository of docker-registry', ['docker-registry'], () => {
  test.each([
    ['an image', makeImage()],
    ['a docker index with attestations', makeIndex({ attestations: true, format: 'docker' })],
  ])('keeps %s whole', async (_, image) => {
    const store = placeOf(await startDockerRegistry()).open('team/app');
    await image.pushAll(store, 'v1');
    expect(await store.resolve('v1')).toEqual(image.root);
    for (const { descriptor, bytes } of image.nodes.values())
      expect(Buffer.compare(await readAll(store.fetch(descriptor)), bytes)).toBe(0);
  });

  test('uploads a blob in chunks', async () => {
    const registry = await startDockerRegistry();
    const store = placeOf(registry, { chunkSize: 300_000 }).open('team/app');
    const { descriptor, bytes } = makeBlob(1_000_000);
    await store.push(descriptor, bytesOf(bytes));
    expect(
      Buffer.compare(
        await readAll(store.fetch(descriptor, { offset: 500_000 })),
        bytes.subarray(500_000),
      ),
    ).toBe(0);
    expect((await registry.requests()).filter(({ method }) => method === 'PATCH')).toHaveLength(4);
  });

  test('mounts a blob, and ends the upload session when it cannot mount', async () => {
    const registry = await startDockerRegistry();
    const place = placeOf(registry);
    const { descriptor, bytes } = makeBlob(1000);
    await place.open('base/image').push(descriptor, bytesOf(bytes));
    expect(await place.open('team/app').mount(descriptor, 'base/image', undefined)).toBe('mounted');
    expect(
      await place.open('team/app').mount(makeBlob(1001).descriptor, 'base/image', undefined),
    ).toBe('refused');
    expect(await cancels(registry)).toEqual([204]);
  });

  test('stores nothing when content does not match its descriptor', async () => {
    const registry = await startDockerRegistry();
    const store = placeOf(registry).open('team/app');
    const { descriptor } = makeBlob(100_000);
    await expect(store.push(descriptor, bytesOf(new Uint8Array(100_000)))).rejects.toMatchObject({
      code: 'CONTENT_MISMATCH',
    });
    expect(await store.exists(descriptor)).toBe(false);
    // 2.8 forgets a session of which a request was cut.
    expect(await cancels(registry)).toEqual([404]);
  });

  test('has referrers by the tag schema', async () => {
    const store = placeOf(await startDockerRegistry()).open('team/app');
    const image = makeImage();
    await image.pushAll(store, 'v1');
    const artifact = makeArtifact({ subject: image.root });
    await artifact.pushAll(store);
    expect((await listAll(store.listReferrers(image.root))).map(({ digest }) => digest)).toEqual([
      artifact.root.digest,
    ]);
    expect([...(await listAll(store.listTags()))].sort()).toEqual([
      referrersTag(image.root.digest),
      'v1',
    ]);
  });

  test('lists its tags and the repositories beside it', async () => {
    const place = placeOf(await startDockerRegistry());
    const image = makeImage();
    await image.pushAll(place.open('team/app'), 'v1');
    await place.open('team/app').tag(image.root, 'v2');
    expect([
      await listAll(place.open('team/app').listTags()),
      await listAll(place.repositories()),
    ]).toEqual([['v1', 'v2'], ['team/app']]);
  });

  test('reports that it refuses to delete', async () => {
    const store = placeOf(await startDockerRegistry()).open('team/app');
    const image = makeImage();
    await image.pushAll(store, 'v1');
    await expect(store.delete(image.root)).rejects.toMatchObject({
      code: 'REFUSED',
      status: 405,
      hint: expect.stringContaining('disabled'),
    });
  });
});
