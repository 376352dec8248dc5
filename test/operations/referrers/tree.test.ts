import { expect, test } from 'vitest';

import { bytesOf } from '../../../src/bytes.ts';
import type { Descriptor } from '../../../src/oci/descriptor.ts';
import { readManifest } from '../../../src/operations/copy/read-manifest.ts';
import { referrerTree, type ReferrerNode } from '../../../src/operations/referrers/tree.ts';
import type { ReferrerLister, Source } from '../../../src/store.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import { makeArtifact, makeImage, type TestImage } from '../../support/images/images.ts';

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
