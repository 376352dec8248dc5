import { describe, expect, test } from 'vitest';

import { parseBundle, parseSimpleSigning, type Candidate } from '../../src/trust/candidate.ts';
import { parseTrustedRoot } from '../../src/trust/keyless/trusted-root.ts';
import type { KeyRule } from '../../src/trust/policy.ts';
import { parseSigningKey } from '../../src/trust/signing-key.ts';
import { isRefusal, type Refusal } from '../../src/trust/verdict.ts';
import { verdictOf } from '../../src/trust/verify-signatures.ts';
import { makeImage } from '../support/images/images.ts';
import { makeSigner, makeSimplePayload } from '../support/images/signatures.ts';
import { mutations } from '../support/trust/mutations.ts';
import { makeSigstore, type SignOptions, type TestBundle } from '../support/trust/sigstore.ts';

const [sigstore, other] = [makeSigstore(), makeSigstore()];
const [key, stranger] = [makeSigner(), makeSigner()];
const { digest } = makeImage().root;

const RULE: KeyRule = {
  kind: 'key',
  keys: [parseSigningKey(key.pem, 'cosign.pub')],
  threshold: 1,
  log: 'required',
  root: await parseTrustedRoot(Buffer.from(JSON.stringify(sigstore.root)), 'root.json'),
  predicateTypes: [],
  annotations: {},
  narrowed: 'refuse',
  signaturesFrom: undefined,
};

const ofBundle = (bundle: unknown): Candidate | Refusal =>
  parseBundle(Buffer.from(JSON.stringify(bundle)));

function bundle(options: SignOptions = {}): TestBundle {
  return sigstore.signBundle(digest, { key, ...options });
}

/** The form of cosign 2. */
function simple(options: SignOptions = {}, more: Readonly<Record<string, string>> = {}): Candidate {
  const payload = makeSimplePayload(digest);
  const annotations = { ...sigstore.signPayload(payload, { key, ...options }), ...more };
  const candidate = parseSimpleSigning(payload, annotations);
  if (isRefusal(candidate)) throw new Error(candidate.reason);
  return candidate;
}

async function stepOf(candidate: Candidate | Refusal, rule = RULE): Promise<string> {
  const verdict = isRefusal(candidate) ? candidate : await verdictOf(candidate, digest, rule);
  return isRefusal(verdict) ? `${verdict.step}: ${verdict.reason}` : 'ok';
}

/** Changes a good bundle in place. */
function changed(change: (bundle: TestBundle) => void, options?: SignOptions): Candidate | Refusal {
  const made = bundle(options);
  change(made);
  return ofBundle(made);
}

const withoutEntry = (): Candidate | Refusal =>
  changed(({ verificationMaterial }) => {
    verificationMaterial.tlogEntries = [];
  });
const withoutTime = (): Candidate | Refusal =>
  changed(
    ({ verificationMaterial }) => {
      delete verificationMaterial.timestampVerificationData;
    },
    { rekor: 'v2' },
  );

describe('a rule of keys with "log: required"', () => {
  test.each<readonly [string, () => Candidate | Refusal]>([
    ['a bundle of Rekor v1', () => ofBundle(bundle())],
    ['a bundle of Rekor v2', () => ofBundle(bundle({ rekor: 'v2' }))],
    ['a bundle of Rekor v2 without a timestamp', withoutTime],
    ["cosign 2's annotations", () => simple()],
  ])('accepts %s', async (_, make) => {
    expect(await stepOf(make())).toBe('ok');
  });

  test.each<readonly [string, string, () => Candidate | Refusal]>([
    ['a bundle without a log entry', 'log: it has no log entry', withoutEntry],
    [
      'annotations without a log entry',
      'log: it has no log entry in its annotation',
      () => simple({}, { 'dev.sigstore.cosign/bundle': '' }),
    ],
    [
      'an entry that names another key',
      'log: its log entry names another signer',
      () =>
        ofBundle(bundle({ loggedSigner: stranger.key.export({ format: 'der', type: 'spki' }) })),
    ],
    [
      'an entry that names a certificate for the key',
      'log: its log entry names another signer',
      () => ofBundle(bundle({ loggedSigner: sigstore.certify().der })),
    ],
    [
      'an entry of another log',
      'log: "root.json" does not know its log',
      () => ofBundle(other.signBundle(digest, { key })),
    ],
    [
      'an entry that another key than that of the log has signed',
      'log: its evidence does not hold',
      () => ofBundle(bundle({ logKey: other.log })),
    ],
    [
      'the entry of another signature by the key',
      'log: its evidence does not hold',
      () =>
        changed(({ verificationMaterial }) => {
          verificationMaterial.tlogEntries = bundle().verificationMaterial.tlogEntries;
        }),
    ],
    [
      "the entry of another signature in cosign 2's annotations",
      'log: its evidence does not hold',
      () => {
        const entry = sigstore.signPayload(makeSimplePayload(digest), { key });
        const name = 'dev.sigstore.cosign/bundle';
        return simple({}, { [name]: entry[name] ?? '' });
      },
    ],
    [
      'a bundle with a certificate',
      'signer: it is signed with a certificate',
      () => ofBundle(sigstore.signBundle(digest)),
    ],
  ])('refuses %s', async (_, step, make) => {
    expect(await stepOf(make())).toMatch(new RegExp(`^${step}`));
  });

  test('refuses an entry without a verified time if the key of its log was withdrawn', async () => {
    const json = structuredClone(sigstore.root) as {
      tlogs: { publicKey: { validFor: { end?: string } } }[];
    };
    for (const log of json.tlogs) log.publicKey.validFor.end = '2026-09-01T00:00:00Z';
    const root = await parseTrustedRoot(Buffer.from(JSON.stringify(json)), 'old.json');
    const rule = { ...RULE, root };
    expect(await stepOf(ofBundle(bundle({ rekor: 'v2' })), rule)).toBe('ok');
    expect(await stepOf(withoutTime(), rule)).toMatch(/^log: the key of its log was withdrawn/);
  });
});

test('a rule of keys with "log: none" looks at no log entry', async () => {
  const rule = { ...RULE, log: 'none', root: undefined } as const;
  expect(await stepOf(withoutEntry(), rule)).toBe('ok');
  expect(await stepOf(ofBundle(bundle({ logKey: other.log })), rule)).toBe('ok');
  expect(await stepOf(ofBundle(other.signBundle(digest, { key })), rule)).toBe('ok');
});

/** Fields that no signature covers, or of which one proof is enough. */
const UNSIGNED: Readonly<Record<'none' | 'v1' | 'v2', readonly RegExp[]>> = {
  v1: [/hint (?:changed|removed)$/, /inclusionP(?:romise|roof) removed$/],
  v2: [
    /hint (?:changed|removed)$/,
    /tlogEntries\.0\.logIndex (?:changed|removed)$/,
    /integratedTime (?:changed|removed)$/,
    // The log alone is required. A time of it is not.
    /timestampVerificationData(?:\.rfc3161Timestamps(?:\.0)?)? removed$/,
  ],
  none: [/hint (?:changed|removed)$/, /tlogEntries|timestampVerificationData/],
};

test.each(['none', 'v1', 'v2'] as const)(
  'every field of a bundle by a key is refused when it is changed or removed, or does not count: log %s',
  async (log) => {
    const rule: KeyRule =
      log === 'none' ? { ...RULE, log: 'none', root: undefined } : { ...RULE, log: 'required' };
    const good = bundle({ rekor: log === 'v2' ? 'v2' : 'v1' });
    expect(await stepOf(ofBundle(good), rule)).toBe('ok');
    const accepted: string[] = [];
    for (const [name, mutated] of mutations(good)) {
      if ((await stepOf(ofBundle(mutated), rule)) === 'ok') accepted.push(name);
    }
    const unexpected = accepted.filter((name) => !UNSIGNED[log].some((one) => one.test(name)));
    expect(unexpected).toEqual([]);
  },
);

test.each(['none', 'required'] as const)(
  "every annotation and byte of cosign 2's form is refused when it is changed, or does not count: log %s",
  async (log) => {
    const rule: KeyRule = log === 'none' ? { ...RULE, log, root: undefined } : { ...RULE, log };
    const payload = makeSimplePayload(digest);
    const annotations = sigstore.signPayload(payload, { key });
    const accepted: string[] = [];
    const attempt = async (name: string, bytes: Uint8Array, pairs: object): Promise<void> => {
      const candidate = parseSimpleSigning(bytes, pairs as Readonly<Record<string, string>>);
      if ((await stepOf(candidate, rule)) === 'ok') accepted.push(name);
    };
    for (const [name, pairs] of mutations(annotations))
      await attempt(name, payload, pairs as object);
    const entry = JSON.parse(annotations['dev.sigstore.cosign/bundle'] ?? '') as object;
    for (const [name, inner] of mutations(entry)) {
      const text = JSON.stringify(inner);
      await attempt(`entry ${name}`, payload, {
        ...annotations,
        'dev.sigstore.cosign/bundle': text,
      });
    }
    for (let at = 0; at < payload.byteLength; at += 1) {
      const bytes = payload.map((byte, index) => (index === at ? byte + 1 : byte));
      await attempt(`byte ${at}`, bytes, annotations);
    }
    const unsigned = log === 'none' ? /bundle|^entry/ : /^$/;
    expect(accepted.filter((name) => !unsigned.test(name))).toEqual([]);
  },
);
