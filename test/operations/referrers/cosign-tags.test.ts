import { expect, test } from 'vitest';

import { digestOf } from '../../../src/oci/digest.ts';
import { isTag } from '../../../src/oci/reference.ts';
import { cosignTags } from '../../../src/operations/referrers/walk.ts';

const bytes = new Uint8Array(3);

test('cosignTags() names signatures, attestations and SBOMs', () => {
  const hex = digestOf(bytes).slice('sha256:'.length);
  expect(cosignTags(digestOf(bytes))).toEqual([
    `sha256-${hex}.sig`,
    `sha256-${hex}.att`,
    `sha256-${hex}.sbom`,
  ]);
});

test('cosignTags() makes no tag that is too long', () => {
  expect(cosignTags(digestOf(bytes, 'sha512')).filter((tag) => !isTag(tag))).toEqual([]);
});
