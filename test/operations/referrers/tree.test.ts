import { expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import { RegiError } from '../../../src/errors.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import { readManifest } from '../../../src/operations/copy/read-manifest.ts';
import { referrerTree, type ReferrerNode } from '../../../src/operations/referrers/tree.ts';
import type { ReferrerLister, Source } from '../../../src/store.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { makeArtifact, makeImage, nodeOf, type TestImage } from '../../support/images/images.ts';

const IMAGE = makeImage();
const ONE = makeArtifact({ artifactType: 'application/one', subject: IMAGE.root });
const TWO = makeArtifact({ artifactType: 'application/two', subject: IMAGE.root });

/** A place that says of each digest what refers to it, true or not. */
function place(
  listed: Readonly<Record<string, readonly TestImage[]>>,
  withTypes = true,
): Source & ReferrerLister & { readonly fetched: Descriptor[] } {
  const nodes = new Map([IMAGE, ONE, TWO].flatMap(({ nodes: own }) => [...own]));
  const fetched: Descriptor[] = [];
  return {
    fetched,
    place: 'test',
    repository: '',
    resolve: (reference) => createMemoryStore().resolve(reference),
    exists: async ({ digest }) => nodes.has(digest),
    fetch: (target) => {
      fetched.push(target);
      return bytesOf(nodes.get(target.digest)?.bytes ?? new Uint8Array());
    },
    async *listReferrers({ digest }) {
      for (const { root } of listed[digest] ?? [])
        yield {
          ...root,
          ...(withTypes && {
            artifactType: root === ONE.root ? 'application/one' : 'application/two',
          }),
        };
    },
  };
}

function shapeOf(nodes: readonly ReferrerNode[]): unknown {
  return nodes.map(({ artifactType, referrers }) => [artifactType, shapeOf(referrers)]);
}

async function treeOf(source: Source): Promise<unknown> {
  const [image] = await referrerTree(source, await readManifest(source, IMAGE.root));
  return shapeOf(image?.referrers ?? []);
}

test('referrerTree() ends when artifacts refer to each other in a cycle', async () => {
  const source = place({
    [IMAGE.root.digest]: [ONE],
    [ONE.root.digest]: [TWO, ONE],
    [TWO.root.digest]: [ONE],
  });
  expect(await treeOf(source)).toEqual([['application/one', [['application/two', []]]]]);
});

test('referrerTree() reads a manifest only when the list lacks its type', async () => {
  const listed = { [IMAGE.root.digest]: [ONE, TWO] };
  const [telling, silent] = [place(listed), place(listed, false)];
  const wanted = [
    ['application/one', []],
    ['application/two', []],
  ];
  expect([await treeOf(telling), await treeOf(silent)]).toEqual([wanted, wanted]);
  expect([telling.fetched.length, silent.fetched.length]).toEqual([1, 3]);
});

test.each(['application/vnd.oci.empty.v1+json', ''])(
  'B18: referrerTree() reads the type from the manifest where the list says %j',
  async (listed) => {
    const { digest } = IMAGE.root;
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    const body = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: { mediaType: MEDIA_TYPE.ociEmpty, digest, size: 2 },
      layers: [{ mediaType: type, digest, size: 2 }],
      subject: IMAGE.root,
    };
    const bundle = nodeOf(MEDIA_TYPE.ociManifest, Buffer.from(JSON.stringify(body)));
    const source = place({});
    const cosign: Source & ReferrerLister = {
      ...source,
      fetch: (target) =>
        target.digest === bundle.descriptor.digest ? bytesOf(bundle.bytes) : source.fetch(target),
      async *listReferrers(target) {
        if (target.digest === digest) yield { ...bundle.descriptor, artifactType: listed };
      },
    };
    expect(await treeOf(cosign)).toEqual([[type, []]]);
  },
);

test('B18: referrerTree() shows a referrer whose manifest cannot be read, without its type', async () => {
  const source = place({ [IMAGE.root.digest]: [ONE, TWO] }, false);
  const gone: Source & ReferrerLister = {
    ...source,
    fetch: (target) => {
      if (target.digest !== ONE.root.digest) return source.fetch(target);
      throw new RegiError('NOT_FOUND', 'gone');
    },
  };
  expect(await treeOf(gone)).toEqual([
    [undefined, []],
    ['application/two', []],
  ]);
});

test('referrerTree() throws the error of the place when all requests have ended', async () => {
  const source = place({});
  const failing: Source & ReferrerLister = {
    ...source,
    // oxlint-disable-next-line require-yield -- it fails before the first
    async *listReferrers() {
      throw new Error('no list');
    },
  };
  await expect(treeOf(failing)).rejects.toThrow('no list');
});
