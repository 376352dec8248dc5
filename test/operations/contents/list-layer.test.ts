import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Digest } from '../../../src/oci/digest.ts';
import { diffTrees, type ComparedTree } from '../../../src/operations/contents/diff-trees.ts';
import { UNDESCRIBED_FOLDER } from '../../../src/operations/contents/file-tree.ts';
import { hideTheSame, treeOf } from '../../../src/operations/contents/list-layer.ts';
import type { TarFile } from '../../../src/tar/tar-file.ts';

type Layers = readonly (readonly TarFile[])[];

const NAMES = ['', 'a', 'a/b', 'a/b/c', 'a/.wh.b', 'a/.wh..wh..opq', '.wh.a', 'd', 'd/b'];

/** A file that is recognised by its group. */
const file = fc.record({
  name: fc.constantFrom(...NAMES),
  type: fc.constantFrom<TarFile['type']>('folder', 'folder', 'file', 'file', 'symlink'),
  group: fc.constantFrom('x', 'y'),
  mode: fc.constantFrom(0o644, 0o755),
});

const layer = fc.array(file, { maxLength: 5 }).map((files) =>
  files.map(({ name, type, group, mode }): TarFile => {
    const link = type === 'symlink' ? 'd' : '';
    return { ...UNDESCRIBED_FOLDER, name, type, group, mode, link };
  }),
);

const layers = fc.array(layer, { maxLength: 2 });

function compared(lists: Layers): ComparedTree {
  return { tree: treeOf(lists), contentOf: ({ own }) => own.file.group as Digest };
}

/** The paths that differ; undefined where no runtime could unpack the layers. */
function changes(one: Layers, other: Layers): readonly string[] | undefined {
  try {
    return [...diffTrees(compared(one), compared(other))].map(
      ({ change, path }) => `${change} ${path}`,
    );
  } catch {
    return undefined;
  }
}

test('D13: hideTheSame() is true only where the shared layers change no difference', () => {
  let certain = 0;
  fc.assert(
    fc.property(layers, layers, layers, (base, one, other) => {
      if (!hideTheSame(one, other)) return;
      certain += 1;
      const whole = changes([...base, ...one], [...base, ...other]);
      fc.pre(whole !== undefined);
      expect(changes(one, other)).toEqual(whole);
    }),
    { numRuns: 3000 },
  );
  expect(certain).toBeGreaterThan(50);
});
