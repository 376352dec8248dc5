import { expect, test } from 'vitest';

import type { CollectedImage } from '../../../src/operations/archive/collect-images.ts';
import { trustedRootsOf } from '../../../src/operations/archive/trusted-roots.ts';
import { publicGoodRoot, type TrustedRoot } from '../../../src/trust/keyless/trusted-root.ts';

/** An image that moved by a rule with this root. */
function imageOf(root: TrustedRoot): CollectedImage {
  return { job: { gate: { rule: { kind: 'keyless', root } } } } as unknown as CollectedImage;
}

test('trustedRootsOf() has the public-good root of several rules once', async () => {
  const images = [imageOf(await publicGoodRoot()), imageOf(await publicGoodRoot())];
  expect(trustedRootsOf({ images }).map(({ name }) => name)).toEqual(['trusted_root.json']);
});
