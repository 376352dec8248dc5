import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseReference, pullReference } from '../../../src/oci/reference.ts';
import {
  matchesIdentity,
  type SignedIdentity,
} from '../../../src/trust/containers/signed-identity.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const exact = (name: string): SignedIdentity => ({
  type: 'exactReference',
  name: parseReference(name),
});
const repository = (name: string): SignedIdentity => ({
  type: 'exactRepository',
  name: parseReference(name),
});
const remap = (prefix: string, signedPrefix: string): SignedIdentity => ({
  type: 'remapIdentity',
  prefix,
  signedPrefix,
});

/** What the tests of containers/image say, and this table in their words. */
describe('matchesIdentity()', () => {
  test.each<[SignedIdentity, string | undefined, string, boolean]>([
    [{ type: 'matchExact' }, 'r.test/a:1', 'r.test/a:1', true],
    [{ type: 'matchExact' }, 'r.test/a:1', 'r.test/a:2', false],
    [{ type: 'matchExact' }, 'r.test/a:1', 'r.test/a', false],
    [{ type: 'matchExact' }, 'busybox', 'docker.io/library/busybox:latest', true],
    [{ type: 'matchExact' }, `r.test/a@${DIGEST}`, 'r.test/a:1', false],
    [{ type: 'matchExact' }, `r.test/a@${DIGEST}`, `r.test/a@${DIGEST}`, true],
    [{ type: 'matchExact' }, undefined, 'r.test/a:1', false],
    [{ type: 'matchRepoDigestOrExact' }, 'r.test/a:1', 'r.test/a:1', true],
    [{ type: 'matchRepoDigestOrExact' }, 'r.test/a:1', 'r.test/a:2', false],
    [{ type: 'matchRepoDigestOrExact' }, `r.test/a@${DIGEST}`, 'r.test/a:2', true],
    [{ type: 'matchRepoDigestOrExact' }, `r.test/a@${DIGEST}`, 'r.test/b:2', false],
    // cosign's own signatures name no tag.
    [{ type: 'matchRepoDigestOrExact' }, `r.test/a@${DIGEST}`, 'r.test/a', false],
    // The digest decides, and the tag is a label.
    [{ type: 'matchRepoDigestOrExact' }, `r.test/a:1@${DIGEST}`, 'r.test/a:2', true],
    [{ type: 'matchRepository' }, 'r.test/a:1', 'r.test/a', true],
    [{ type: 'matchRepository' }, 'r.test/a:1', 'r.test/a:2', true],
    [{ type: 'matchRepository' }, 'r.test/a:1', 'r.test:443/a:1', false],
    [{ type: 'matchRepository' }, 'r.test/a:1', 'not a name', false],
    [{ type: 'matchRepository' }, undefined, 'r.test/a', false],
    [exact('r.test/a:1'), undefined, 'r.test/a:1', true],
    [exact('r.test/a:1'), 's.test/b:1', 'r.test/a:1', true],
    [exact('r.test/a:1'), 'r.test/a:1', 'r.test/a', false],
    [exact('busybox:1'), 's.test/b:1', 'docker.io/library/busybox:1', true],
    [repository('r.test/a'), undefined, 'r.test/a', true],
    [repository('r.test/a'), 's.test/b:1', 'r.test/a:9', true],
    [repository('r.test/a'), 's.test/b:1', 'r.test/ab:9', false],
    [remap('m.test', 'r.test'), 'm.test/a:1', 'r.test/a:1', true],
    [remap('m.test', 'r.test'), 'm.test/a:1', 'm.test/a:1', false],
    [remap('m.test', 'r.test'), 'o.test/a:1', 'o.test/a:1', true],
    [remap('m.test/x', 'r.test'), 'm.test/x/a:1', 'r.test/a:1', true],
    [remap('m.test/x', 'r.test'), 'm.test/xy/a:1', 'r.test/y/a:1', false],
    [remap('m.test/x', 'r.test/y'), 'm.test/x:1', 'r.test/y:1', true],
    [remap('m.test/x', 'r.test/y'), `m.test/x@${DIGEST}`, 'r.test/y:7', true],
    // A repository alone is no name of an image.
    [remap('m.test/x', 'r.test'), 'm.test/x:1', 'r.test:1', false],
    [remap('m.test', 'r.test'), undefined, 'r.test/a:1', false],
  ])('%o of %s takes a signature for %s: %s', (identity, image, stated, expected) => {
    const reference = image === undefined ? undefined : pullReference(parseReference(image));
    expect(matchesIdentity(identity, reference, stated)).toBe(expected);
  });

  test('takes no text that is no reference, whatever the identity', () => {
    const identities = [
      { type: 'matchExact' } as const,
      { type: 'matchRepository' } as const,
      remap('r.test', 's.test'),
      repository('r.test/a'),
    ];
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...identities), (stated, identity) => {
        expect(matchesIdentity(identity, parseReference('r.test/a:1'), `${stated} `)).toBe(false);
      }),
    );
  });
});
