import { describe, expect, test } from 'vitest';

import { digestOf } from '../../../src/oci/digest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { createMemoryStore } from '../../../src/stores/memory.ts';
import type { ContainersRule } from '../../../src/trust/containers/requirement.ts';
import { admit, type Gate } from '../../../src/trust/gate.ts';
import { parseSigningKey } from '../../../src/trust/signing-key.ts';
import { makeImage } from '../../support/images/images.ts';
import { makeSigner, makeSimpleSigning, signatureTag } from '../../support/images/signatures.ts';

const [signer, stranger] = [makeSigner(), makeSigner()];
const image = makeImage();
const NAME = 'registry.example/app';

const RULE: ContainersRule = {
  kind: 'containers',
  requirements: [
    {
      type: 'sigstoreSigned',
      keys: [parseSigningKey(signer.pem, 'ours')],
      log: undefined,
      identity: { type: 'matchRepository' },
    },
  ],
  image: parseReference(`${NAME}:1`),
  readsAttachments: true,
  lookaside: undefined,
  verifyGpg: async () => ({ isGood: false, reason: 'there is no gpgv' }),
};
const GATE: Gate = {
  rule: RULE,
  scope: NAME,
  name: `${NAME}:1`,
  readUrl: async () => undefined,
};

describe('admit() by the requirements of a policy.json', () => {
  test.each(['mirror', 'registry'] as const)(
    'takes the signature that counted along, although only the %s has it',
    async (name) => {
      const stores = { mirror: createMemoryStore(), registry: createMemoryStore() };
      const { digest } = image.root;
      for (const [where, store] of Object.entries(stores)) {
        await image.pushAll(store, '1');
        const by = where === name ? signer : stranger;
        await makeSimpleSigning(image.root, by, { name: NAME }).pushTo(
          store,
          signatureTag(image.root),
        );
      }
      const both = Object.assign(createMemoryStore(), {
        alternatives: () => [stores.mirror, stores.registry],
      });
      await image.pushAll(both, '1');
      const roots = { found: digest, landed: digest, isMade: false };
      const { carried, report } = await admit(GATE, both, roots, {});
      expect(report?.candidates.some(({ signer: key }) => key === 'ours')).toBe(true);
      expect(carried).toHaveLength(1);
      expect(carried[0]?.source).toBe(stores[name]);
    },
  );

  test('an index that nests without end is refused, and not read for ever', async () => {
    const store = createMemoryStore();
    const roots = { found: image.root.digest, landed: image.root.digest, isMade: false };
    const index = 'application/vnd.oci.image.index.v1+json';
    const images = Array.from({ length: 1001 }, (_, at) => ({
      mediaType: index,
      digest: digestOf(Buffer.from(`${at}`)),
      size: 1,
    }));
    await expect(admit(GATE, store, { ...roots, images }, {})).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });
});
