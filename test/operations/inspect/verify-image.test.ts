import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { digestOf, type Digest } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import {
  verifyImages,
  type VerifyOptions,
  type VerifyReport,
} from '../../../src/operations/inspect/verify-image.ts';
import type { Bytes, FetchOptions, Store } from '../../../src/store.ts';
import { decorate } from '../../../src/stores/decorators/decorate.ts';
import { createMemoryPlace } from '../../../src/stores/memory.ts';
import {
  makeArtifact,
  makeImage,
  makeIndex,
  nodeOf,
  type TestImage,
} from '../../support/images/images.ts';

const image = makeImage({ layers: [1000, 2000, 3000] });
const index = makeIndex({ attestations: true });
const [layer] = image.layers;

let store: Store;
/** How often each node was opened. */
let opened: Map<Digest, number>;
/** What is given instead of the node's own bytes. */
let damage: Map<Digest, Uint8Array>;

beforeEach(() => {
  const memory = createMemoryPlace().open('app');
  opened = new Map();
  damage = new Map();
  store = decorate(memory, {
    fetch(target: Descriptor, options?: FetchOptions): Bytes {
      opened.set(target.digest, (opened.get(target.digest) ?? 0) + 1);
      const bytes = damage.get(target.digest);
      return bytes === undefined ? memory.fetch(target, options) : bytesOf(bytes);
    },
  });
});

/** Puts an image there, but for some nodes, and verifies it. */
async function verified(
  content: TestImage,
  { without = [], ...options }: VerifyOptions & { readonly without?: readonly Digest[] } = {},
): Promise<VerifyReport> {
  for (const { descriptor, bytes } of content.nodes.values())
    if (!without.includes(descriptor.digest)) await store.push(descriptor, bytesOf(bytes));
  return verifyImages(store, [{ name: 'app:1', descriptor: content.root }], options);
}

function sizeOf(content: TestImage): number {
  return [...content.nodes.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
}

describe('verifyImages()', () => {
  test.each([
    ['an image', image],
    ['an index with attestations', index],
    ['an artifact', makeArtifact({ size: 100 })],
    ['an image of docker', makeImage({ format: 'docker' })],
    ['an image with sha512 digests', makeImage({ algorithm: 'sha512' })],
  ])('vouches for %s that is whole', async (_what, content) => {
    const report = await verified(content);
    expect(report).toEqual({
      whole: true,
      images: 1,
      verified: content.nodes.size,
      bytes: sizeOf(content),
      problems: [],
    });
    expect((await verified(content, { deep: true })).whole).toBe(true);
  });

  test('reads each node once when several images share it', async () => {
    await index.pushAll(store);
    await verifyImages(store, [
      { name: 'a', descriptor: index.root },
      { name: 'b', descriptor: index.root },
      ...index.images.map(({ root }) => ({ name: 'c', descriptor: root })),
    ]);
    expect([...opened.values()].every((count) => count === 1)).toBe(true);
    expect(opened.size).toBe(index.nodes.size);
  });

  test.each(
    [...image.nodes.values()].map(({ descriptor }) => [descriptor.mediaType, descriptor] as const),
  )(
    'tells of a missing %s, and of nothing that it was to lead to',
    async (_type, { digest, mediaType, size }) => {
      const { whole, problems } = await verified(image, { without: [digest] });
      expect([whole, problems]).toEqual([
        false,
        [
          {
            status: 'missing',
            digest,
            mediaType,
            size,
            problem: expect.stringContaining(digest),
            image: 'app:1',
            images: ['app:1'],
            files: [],
          },
        ],
      ]);
    },
  );

  test.each(
    [...image.nodes.values()].map(({ descriptor }) => [descriptor.mediaType, descriptor] as const),
  )('tells of a %s with another byte in it', async (_type, { digest, size }) => {
    damage.set(digest, Buffer.alloc(size, 1));
    const { whole, problems, verified: count } = await verified(image);
    expect([whole, problems]).toMatchObject([false, [{ status: 'corrupt', digest }]]);
    expect(count).toBeLessThan(image.nodes.size);
  });

  test('continues after a problem and reports all of them', async () => {
    const [first, second] = index.images;
    if (first === undefined || second === undefined) throw new Error('An index of two');
    damage.set(second.config.digest, Buffer.from('{}'));
    const { problems } = await verified(index, { without: [first.root.digest] });
    expect(problems.map(({ status, digest }) => [status, digest])).toEqual([
      ['missing', first.root.digest],
      ['corrupt', second.config.digest],
    ]);
  });

  test('reports a platform that a sparse archive does not carry as absent, and the rest as whole', async () => {
    const [first] = index.images;
    const without = [first?.root.digest, first?.config.digest].flatMap((digest) => digest ?? []);
    const { whole, problems } = await verified(index, { without, isSparse: true });
    expect([whole, problems]).toMatchObject([
      true,
      [{ status: 'absent', digest: first?.root.digest }],
    ]);
  });

  test('A4: verifyImages() reports attestations that docker left out of its archive as absent, and the rest as whole', async () => {
    const [kept] = index.images;
    const ofKept = new Set(kept?.nodes.keys());
    const without = [...index.nodes.keys()].filter(
      (digest) => !ofKept.has(digest) && digest !== index.root.digest,
    );
    const { whole, problems } = await verified(index, { without, isSparse: true });
    expect(whole).toBe(true);
    expect(problems).toHaveLength(3);
    expect(new Set(problems.map(({ status }) => status))).toEqual(new Set(['absent']));
  });

  test('A4: verifyImages() reports all platforms of an index as missing when none is carried', async () => {
    const without = [...index.nodes.keys()].filter((digest) => digest !== index.root.digest);
    const { whole, problems } = await verified(index, { without, isSparse: true });
    expect(whole).toBe(false);
    for (const { root } of index.images)
      expect(problems).toContainEqual(
        expect.objectContaining({ status: 'missing', digest: root.digest }),
      );
  });

  test('reports a layer that a sparse archive lacks as missing', async () => {
    const { whole } = await verified(image, {
      without: layer === undefined ? [] : [layer.digest],
      isSparse: true,
    });
    expect(whole).toBe(false);
  });

  test('reports a layer that an incremental archive omits as absent in its base, and the image as not whole', async () => {
    const left = layer === undefined ? [] : [layer.digest];
    const { whole, problems } = await verified(image, { without: left, omitted: new Set(left) });
    expect([whole, problems]).toMatchObject([
      false,
      [{ status: 'absent-in-base', digest: layer?.digest }],
    ]);
  });

  test('does not excuse a damaged layer because an earlier archive carried it', async () => {
    if (layer === undefined) throw new Error('An image without layers');
    damage.set(layer.digest, Buffer.alloc(layer.size));
    expect((await verified(image, { omitted: new Set([layer.digest]) })).problems).toMatchObject([
      { status: 'corrupt' },
    ]);
  });

  test('reports unreferenced content as extra, which is no fault', async () => {
    const { descriptor } = nodeOf('application/octet-stream', Buffer.from('left over'));
    async function* blobs(): AsyncGenerator<Descriptor> {
      for (const { descriptor: own } of image.nodes.values()) yield own;
      yield descriptor;
    }
    const { whole, problems } = await verified(image, { blobs: blobs() });
    expect([whole, problems]).toEqual([
      true,
      [
        {
          status: 'extra',
          digest: descriptor.digest,
          mediaType: undefined,
          size: descriptor.size,
          problem: undefined,
          image: undefined,
          images: [],
          files: [],
        },
      ],
    ]);
  });

  test('skips foreign layers, which live elsewhere', async () => {
    const config = nodeOf(MEDIA_TYPE.ociConfig, Buffer.from('{}'));
    const foreign = {
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      digest: digestOf(Buffer.from('far')),
      size: 3,
    };
    const json = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: config.descriptor,
      layers: [foreign],
    };
    const root = nodeOf(MEDIA_TYPE.ociManifest, Buffer.from(JSON.stringify(json)));
    for (const { descriptor, bytes } of [config, root])
      await store.push(descriptor, bytesOf(bytes));
    expect(await verifyImages(store, [{ name: 'app', descriptor: root.descriptor }])).toMatchObject(
      { whole: true, verified: 2 },
    );
  });

  test('reports indexes that nest too deep as corrupt', async () => {
    let inner: Descriptor = image.root;
    await image.pushAll(store);
    for (let level = 0; level < 40; level += 1) {
      const node = nodeOf(
        MEDIA_TYPE.ociIndex,
        Buffer.from(
          JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests: [inner] }),
        ),
      );
      await store.push(node.descriptor, bytesOf(node.bytes));
      inner = node.descriptor;
    }
    const report = await verifyImages(store, [{ name: 'deep', descriptor: inner }]);
    expect([report.whole, report.problems]).toMatchObject([
      false,
      [{ status: 'corrupt', problem: expect.stringContaining('8 levels of indexes') }],
    ]);
  });

  test('throws an error that is not about the content', async () => {
    const problem = new Error('connection lost');
    const failing = decorate(store, {
      fetch: (): Bytes => ({
        // oxlint-disable-next-line require-yield -- it fails before the first chunk
        async *[Symbol.asyncIterator]() {
          throw problem;
        },
      }),
    });
    await expect(verifyImages(failing, [{ name: 'app', descriptor: image.root }])).rejects.toBe(
      problem,
    );
  });

  test('stops with the reason of an abort', async () => {
    const reason = new Error('stop');
    await expect(verified(image, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

test('A21: verifyImages() with deep reports encrypted layers, and compares them with no diff_id', async () => {
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted';
  const body = JSON.parse(
    Buffer.from(image.nodes.get(image.root.digest)?.bytes ?? []).toString(),
  ) as { layers: object[] };
  const layers = body.layers.map((entry) => ({ ...entry, mediaType }));
  const root = nodeOf(image.root.mediaType, Buffer.from(JSON.stringify({ ...body, layers })));
  await image.pushAll(store);
  await store.push(root.descriptor, bytesOf(root.bytes));
  const found: string[] = [];
  const { whole } = await verifyImages(store, [{ name: 'a', descriptor: root.descriptor }], {
    deep: true,
    onEncrypted: ({ digest }) => void found.push(digest),
  });
  expect([whole, found]).toEqual([true, image.layers.map(({ digest }) => digest)]);
});

describe('verifyImages() with deep', () => {
  /** The image with another config, whole in itself. */
  async function withDiffIds(diffIds: readonly string[]): Promise<VerifyReport> {
    const config = nodeOf(
      MEDIA_TYPE.ociConfig,
      Buffer.from(
        JSON.stringify({
          os: 'linux',
          architecture: 'amd64',
          rootfs: { type: 'layers', diff_ids: diffIds },
        }),
      ),
    );
    const json = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: config.descriptor,
      layers: image.layers,
    };
    const root = nodeOf(MEDIA_TYPE.ociManifest, Buffer.from(JSON.stringify(json)));
    await image.pushAll(store);
    for (const { descriptor, bytes } of [config, root])
      await store.push(descriptor, bytesOf(bytes));
    return verifyImages(store, [{ name: 'app', descriptor: root.descriptor }], { deep: true });
  }

  test('reports a layer that does not match the config', async () => {
    const { whole, problems } = await withDiffIds(
      ['a', 'b', 'c'].map((text) => digestOf(Buffer.from(text))),
    );
    expect([whole, problems.map(({ status, digest }) => [status, digest])]).toEqual([
      false,
      image.layers.map(({ digest }) => ['corrupt', digest]),
    ]);
  });

  test('reports a config with a different number of diff_ids', async () => {
    const { whole, problems } = await withDiffIds([]);
    expect([whole, problems]).toMatchObject([
      false,
      [{ status: 'corrupt', problem: 'It lists 0 diff_ids, but the manifest lists 3 layers' }],
    ]);
  });
});
