import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from 'vitest';

import { bytesOf } from '../../src/bytes.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { createMemoryStore } from '../../src/stores/memory.ts';
import { decorate } from '../../src/stores/decorators/decorate.ts';
import { RegiError } from '../../src/errors.ts';
import { canListReferrers, type ReferrerLister, type Store } from '../../src/store.ts';
import type { KeyRule } from '../../src/trust/policy.ts';
import { parseSigningKey } from '../../src/trust/signing-key.ts';
import {
  verifySignatures as judge,
  type SignatureReport,
} from '../../src/trust/verify-signatures.ts';

const FOLDER = join(import.meta.dirname, '../tables/trust');
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

function read(path: string): Buffer {
  return readFileSync(join(FOLDER, path));
}

function rule(key: string, more: Partial<KeyRule> = {}): KeyRule {
  return {
    kind: 'key',
    keys: [parseSigningKey(read(`keys/${key}.pub`).toString('utf8'), key)],
    threshold: 1,
    log: 'none',
    predicateTypes: [],
    annotations: {},
    narrowed: 'refuse',
    signaturesFrom: undefined,
    ...more,
  };
}

async function verifySignatures(...args: Parameters<typeof judge>): Promise<SignatureReport> {
  return (await judge(...args)).report;
}

let store: Store;
let digest: Digest;

/**
 * The bytes as a registry would hold them. What a manifest names is not checked: the config is not
 * here.
 */
async function put(bytes: Buffer, mediaType: string, tag?: string): Promise<Digest> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  await store.push(descriptor, bytesOf(bytes), { tag });
  return descriptor.digest;
}

/** Puts a real signature and, first, everything that it names. */
async function sign(name: string, tag?: string): Promise<void> {
  const folder = name.slice(0, name.indexOf('/'));
  const empty = Buffer.from('{}');
  await put(empty, 'application/vnd.oci.empty.v1+json');
  for (const file of readdirSync(join(FOLDER, folder))) {
    if (/\.(?:bundle|payload(?:-2)?)\.json$/.test(file))
      await put(read(`${folder}/${file}`), 'application/octet-stream');
  }
  await put(read(`${name}.manifest.json`), MANIFEST, tag);
}

function referrers(): ReferrerLister {
  if (!canListReferrers(store)) throw new Error('the store lists no referrers');
  return store;
}

beforeEach(async () => {
  store = createMemoryStore();
  digest = await put(read('images/v1.json'), MANIFEST, 'v1');
});

describe('verifySignatures()', () => {
  test('accepts a bundle that refers to the image', async () => {
    await sign('cosign/sign-v1');
    const report = await verifySignatures(store, digest, rule('p256'));
    expect(report).toMatchObject({
      accepted: true,
      step: 'ok',
      candidates: [{ form: 'bundle', signer: 'p256' }],
    });
  });

  test("accepts a signature at cosign's tag", async () => {
    await sign('cosign/legacy-v1', `${digest.replace(':', '-')}.sig`);
    const report = await verifySignatures(store, digest, rule('p256'));
    expect(report).toMatchObject({ accepted: true, candidates: [{ form: 'simple-signing' }] });
  });

  test('ends at collect without any signature', async () => {
    const report = await verifySignatures(store, digest, rule('p256'));
    expect(report).toMatchObject({ accepted: false, step: 'collect', candidates: [] });
  });

  test('says the step that refused each candidate', async () => {
    await sign('cosign/sign-v1');
    const report = await verifySignatures(store, digest, rule('other'));
    expect(report).toMatchObject({
      accepted: false,
      step: 'signature',
      candidates: [{ step: 'signature', reason: 'no key of the policy made its signature' }],
    });
  });

  test('takes no attestation for a signature', async () => {
    await sign('cosign/attest-slsa-v1');
    expect(await verifySignatures(store, digest, rule('p256'))).toMatchObject({
      accepted: false,
      step: 'content',
    });
    const named = rule('p256', { predicateTypes: ['https://slsa.dev/provenance/v1'] });
    expect(await verifySignatures(store, digest, named)).toMatchObject({ accepted: true });
  });

  test('l-sig-tag-is-index: skips and counts an index at the tag of cosign', async () => {
    await put(
      read('images/multi.json'),
      'application/vnd.oci.image.index.v1+json',
      `${digest.replace(':', '-')}.sig`,
    );
    const report = await verifySignatures(store, digest, rule('p256'));
    expect(report).toMatchObject({
      step: 'collect',
      candidates: [],
      skipped: [expect.stringContaining('index')],
    });
  });

  test('b-layer-digest-wrong: skips and counts bytes of another digest', async () => {
    await sign('cosign/sign-v1');
    const lying = decorate(store, {
      fetch: (target, options) =>
        target.mediaType.includes('bundle')
          ? bytesOf(Buffer.alloc(target.size))
          : store.fetch(target, options),
    });
    const report = await verifySignatures(lying, digest, rule('p256'));
    expect(report).toMatchObject({ accepted: false, step: 'collect', candidates: [] });
    expect(report.skipped).toHaveLength(1);
  });

  test('reads entries of a list that hides their type', async () => {
    await sign('cosign/sign-v1');
    const hiding = decorate(store, {
      async *listReferrers(target: Descriptor) {
        for await (const entry of referrers().listReferrers(target)) {
          yield {
            ...entry,
            artifactType: 'application/vnd.oci.empty.v1+json',
            annotations: undefined,
          };
        }
      },
    });
    expect(await verifySignatures(hiding, digest, rule('p256'))).toMatchObject({ accepted: true });
  });

  test.each(['NOT_AUTHORISED', 'SERVER_FAILED'] as const)(
    'throws %s of a list instead of calling the image unsigned',
    async (code) => {
      const failing = decorate(store, {
        // eslint-disable-next-line require-yield
        async *listReferrers() {
          throw new RegiError(code, 'Cannot list');
        },
      });
      await expect(verifySignatures(failing, digest, rule('p256'))).rejects.toMatchObject({ code });
    },
  );

  test('refuses a list of 101 signatures', async () => {
    await sign('cosign/sign-v1');
    const many = decorate(store, {
      async *listReferrers(target: Descriptor) {
        for (let count = 0; count < 101; count += 1) {
          yield* referrers().listReferrers(target);
        }
      },
    });
    await expect(verifySignatures(many, digest, rule('p256'))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });
});
