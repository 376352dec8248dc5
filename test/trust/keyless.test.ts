import { describe, expect, test } from 'vitest';

import { digestOf } from '../../src/oci/digest.ts';
import { parseBundle, parseSimpleSigning } from '../../src/trust/candidate.ts';
import { verifyWithCertificate } from '../../src/trust/keyless/evidence.ts';
import { parseTrustedRoot, publicGoodRoot } from '../../src/trust/keyless/trusted-root.ts';
import type { KeylessRule } from '../../src/trust/policy.ts';
import { isRefusal } from '../../src/trust/verdict.ts';
import { makeImage } from '../support/images/images.ts';
import { makeSimplePayload } from '../support/images/signatures.ts';
import { mutations } from '../support/trust/mutations.ts';
import {
  IDENTITY,
  ISSUER,
  makeSigstore,
  SIGNED_AT,
  type SignOptions,
  type TestBundle,
} from '../support/trust/sigstore.ts';

const sigstore = makeSigstore();
const image = makeImage();
const { digest } = image.root;
const root = await parseTrustedRoot(Buffer.from(JSON.stringify(sigstore.root)), 'root.json');

const RULE: KeylessRule = {
  kind: 'keyless',
  issuer: ISSUER,
  identity: IDENTITY,
  github: {},
  root,
  predicateTypes: [],
  annotations: {},
  narrowed: 'refuse',
  signaturesFrom: undefined,
};

async function stepOf(bundle: unknown, rule: Partial<KeylessRule> = {}): Promise<string> {
  const candidate = parseBundle(Buffer.from(JSON.stringify(bundle)));
  if (isRefusal(candidate)) return candidate.step;
  const verdict = await verifyWithCertificate(candidate, digest, { ...RULE, ...rule });
  return isRefusal(verdict) ? `${verdict.step}: ${verdict.reason}` : 'ok';
}

function signed(options?: SignOptions): TestBundle {
  return sigstore.signBundle(digest, options);
}

describe('verifyWithCertificate()', () => {
  test.each(['v1', 'v2'] as const)('accepts a bundle of Rekor %s', async (rekor) => {
    expect(await stepOf(signed({ rekor }))).toBe('ok');
  });

  test('names the signer, its issuer, the log and the time', async () => {
    const candidate = parseBundle(Buffer.from(JSON.stringify(signed())));
    if (isRefusal(candidate)) throw new Error(candidate.reason);
    expect(await verifyWithCertificate(candidate, digest, RULE)).toEqual({
      subject: IDENTITY,
      issuer: ISSUER,
      time: new Date(SIGNED_AT.getTime() + 1000),
      log: 'https://rekor.example',
    });
  });

  test("accepts cosign 2's annotations", async () => {
    const payload = makeSimplePayload(digest);
    const candidate = parseSimpleSigning(payload, sigstore.signPayload(payload));
    if (isRefusal(candidate)) throw new Error(candidate.reason);
    expect(await verifyWithCertificate(candidate, digest, RULE)).toMatchObject({
      subject: IDENTITY,
    });
  });
});

/** Changes a good bundle in place. */
function changed(change: (bundle: TestBundle) => void, options?: SignOptions): TestBundle {
  const bundle = signed(options);
  change(bundle);
  return bundle;
}

const HOUR = 3_600_000;
const other = makeSigstore();

type Refused = readonly [
  name: string,
  step: string,
  make: () => unknown,
  rule?: Partial<KeylessRule>,
];

describe('verifyWithCertificate() refuses', () => {
  const rows: readonly Refused[] = [
    [
      'another identity',
      'identity: it is signed by',
      () => signed({ identity: `${IDENTITY}.evil` }),
    ],
    [
      'an identity that contains the wanted one',
      'identity',
      () => signed({ identity: `https://evil.example/?${IDENTITY}` }),
    ],
    [
      'an identity beyond the end of a glob',
      'identity',
      () => signed(),
      { identity: 'https://ci.example/team/*/release' },
    ],
    [
      'a look-alike of letters',
      'identity',
      () => signed({ identity: IDENTITY.replace('a', '\u0430') }),
    ],
    [
      'a second name in the certificate',
      'identity: its certificate has 2 names',
      () => signed({ second: 'https://evil.example/x' }),
    ],
    ['another issuer', 'identity: its issuer is', () => signed({ issuer: `${ISSUER}/` })],
    ['an empty issuer', 'identity: its issuer is ""', () => signed({ issuer: '' }), { issuer: '' }],
    [
      'another repository at GitHub',
      'identity: its repository is',
      () => signed({ extensions: { '1.3.6.1.4.1.57264.1.5': 'evil/app' } }),
      { github: { repository: 'team/app' } },
    ],
    [
      'a certificate without the extension of the rule',
      'identity: its repository is absent',
      () => signed(),
      { github: { repository: 'team/app' } },
    ],
    ['a certificate that no certificate log has seen', 'log', () => signed({ sct: 'none' })],
    ['a certificate with the stamp of another log', 'log', () => signed({ sct: 'of another log' })],
    [
      'a certificate for servers',
      'log: its evidence does not hold: its certificate is not for signing code',
      () => signed({ purposes: ['1.3.6.1.5.5.7.3.1'] }),
    ],
    [
      'a time after the certificate has expired',
      'log',
      () => signed({ time: new Date(SIGNED_AT.getTime() + HOUR) }),
    ],
    [
      'an expired certificate with a late timestamp',
      'log',
      () => signed({ rekor: 'v2', time: new Date(SIGNED_AT.getTime() + HOUR) }),
    ],
    [
      'a time that the log has not signed',
      'log',
      () =>
        changed(
          ({
            verificationMaterial: {
              tlogEntries: [entry],
            },
          }) => {
            delete entry?.inclusionPromise;
          },
        ),
    ],
    [
      'an entry of Rekor v2 without a timestamp',
      'log',
      () =>
        changed(
          ({ verificationMaterial }) => {
            delete verificationMaterial.timestampVerificationData;
          },
          { rekor: 'v2' },
        ),
    ],
    [
      'a log entry of another certificate',
      'log: its log entry names another signer',
      () => signed({ loggedSigner: sigstore.certify().der }),
    ],
    [
      'a log entry of another certificate in Rekor v2',
      'log: its log entry names another signer',
      () => signed({ rekor: 'v2', loggedSigner: sigstore.certify().der }),
    ],
    [
      'an entry that another key than that of the log has signed',
      'log',
      () => signed({ logKey: other.log }),
    ],
    [
      'a bundle of another certificate authority',
      'log: "root.json" does not know its log',
      () => other.signBundle(digest),
    ],
    [
      'a bundle without a log entry',
      'log: it has no log entry',
      () =>
        changed(({ verificationMaterial }) => {
          verificationMaterial.tlogEntries = [];
        }),
    ],
    [
      'the same entry twice for one',
      'log',
      () =>
        changed(({ verificationMaterial: { tlogEntries } }) => {
          tlogEntries.push(...tlogEntries);
        }),
    ],
    [
      'another root hash than that of the checkpoint',
      'log: the proof',
      () =>
        changed(
          ({
            verificationMaterial: {
              tlogEntries: [entry],
            },
          }) => {
            if (entry?.inclusionProof)
              entry.inclusionProof.rootHash = Buffer.alloc(32).toString('base64');
          },
        ),
    ],
    [
      'another tree size than that of the checkpoint',
      'log: the proof',
      () =>
        changed(
          ({
            verificationMaterial: {
              tlogEntries: [entry],
            },
          }) => {
            if (entry?.inclusionProof) entry.inclusionProof.treeSize = '4';
          },
        ),
    ],
    [
      'loose base64 in a log entry',
      'log: its log entry is not strict base64',
      () =>
        changed(
          ({
            verificationMaterial: {
              tlogEntries: [entry],
            },
          }) => {
            if (entry?.inclusionPromise) entry.inclusionPromise.signedEntryTimestamp += '!';
          },
        ),
    ],
    [
      'the signature of another image',
      'content: it signs another image',
      () => signed({ signed: digestOf(Buffer.from('other')) }),
    ],
    [
      'an attestation',
      'content: it is an attestation',
      () => signed({ predicateType: 'https://slsa.dev/provenance/v1' }),
    ],
    [
      'an unknown media type',
      'shape',
      () =>
        changed((bundle) => {
          bundle.mediaType += 'EVIL';
        }),
    ],
  ];
  test.each(rows.map(([name, ...row]) => [name, row] as const))(
    '%s',
    async (_, [step, make, rule]) => {
      expect(await stepOf(make(), rule)).toMatch(
        new RegExp(`^${step.replaceAll(/[.?/]/g, '\\$&')}`),
      );
    },
  );

  test('a log whose key was withdrawn before the timestamp', async () => {
    const json = structuredClone(sigstore.root) as {
      tlogs: { publicKey: { validFor: { start: string; end?: string } } }[];
    };
    for (const log of json.tlogs) log.publicKey.validFor.end = '2026-02-01T00:00:00Z';
    const old = await parseTrustedRoot(Buffer.from(JSON.stringify(json)), 'old.json');
    for (const rekor of ['v1', 'v2'] as const)
      expect(await stepOf(signed({ rekor }), { root: old })).toMatch(/^log/);
  });
});

describe('verifyWithCertificate() accepts', () => {
  test.each<readonly [string, () => unknown, Partial<KeylessRule>]>([
    [
      'an identity by a glob of its whole length',
      () => signed(),
      { identity: 'https://ci.example/team/*@refs/tags/*' },
    ],
    [
      'an address of mail',
      () => signed({ identity: 'dev@example.com' }),
      { identity: 'dev@example.com' },
    ],
    [
      'an attestation of GitHub that the rule names',
      () =>
        signed({
          predicateType: 'https://slsa.dev/provenance/v1',
          extensions: { '1.3.6.1.4.1.57264.1.5': 'team/app' },
        }),
      { predicateTypes: ['https://slsa.dev/provenance/v1'], github: { repository: 'team/app' } },
    ],
    [
      'null for fields that are absent',
      () => {
        const { verificationMaterial, ...bundle } = signed();
        return {
          ...bundle,
          messageSignature: null,
          verificationMaterial: {
            ...verificationMaterial,
            x509CertificateChain: null,
            publicKey: null,
            timestampVerificationData: null,
          },
        };
      },
      {},
    ],
  ])('%s', async (_, make, rule) => {
    expect(await stepOf(make(), rule)).toBe('ok');
  });
});

/**
 * Fields that are not signed, or of which one proof is enough. None of them may change the row.
 */
const UNSIGNED: Readonly<Record<'v1' | 'v2', readonly RegExp[]>> = {
  // Of a promise and a proof one is enough.
  v1: [/inclusionProof removed$/],
  // The index of the proof counts.
  v2: [/tlogEntries\.0\.logIndex (?:changed|removed)$/, /integratedTime (?:changed|removed)$/],
};

test.each(['v1', 'v2'] as const)(
  'verifyWithCertificate() refuses every field of a bundle of Rekor %s that is changed or removed, or its row stays',
  async (rekor) => {
    const good = signed({ rekor });
    const candidate = parseBundle(Buffer.from(JSON.stringify(good)));
    if (isRefusal(candidate)) throw new Error(candidate.reason);
    const row = await verifyWithCertificate(candidate, digest, RULE);
    expect(isRefusal(row)).toBe(false);
    const accepted: string[] = [];
    for (const [name, bundle] of mutations(good)) {
      const mutated = parseBundle(Buffer.from(JSON.stringify(bundle)));
      if (isRefusal(mutated)) continue;
      const verdict = await verifyWithCertificate(mutated, digest, RULE);
      if (isRefusal(verdict)) continue;
      expect(verdict).toEqual(row);
      if (!UNSIGNED[rekor].some((pattern) => pattern.test(name))) accepted.push(name);
    }
    expect(accepted).toEqual([]);
  },
);

describe('parseTrustedRoot()', () => {
  test('reads the root that is part of regi', async () => {
    const { logs, certificateAuthorities } = await publicGoodRoot();
    expect(logs.map(({ name }) => name)).toContain('https://log2025-1.rekor.sigstore.dev');
    expect(certificateAuthorities).toHaveLength(2);
  });

  // The JSON of protobuf: null stands for a field that is absent.
  test('reads null for fields that are absent', async () => {
    const json = structuredClone(sigstore.root) as {
      tlogs: { checkpointKeyId?: null; publicKey: { validFor: { end?: null } } }[];
    };
    for (const log of json.tlogs) {
      log.checkpointKeyId = null;
      log.publicKey.validFor.end = null;
    }
    const exported = await parseTrustedRoot(Buffer.from(JSON.stringify(json)), 'exported.json');
    expect(exported.logs).toEqual(root.logs);
    expect(await stepOf(signed(), { root: exported })).toBe('ok');
  });

  test.each<readonly [string, (json: Record<string, unknown>) => unknown]>([
    ['a log without a start', (json) => ({ ...json, tlogs: [withoutStart(json['tlogs'])] })],
    ['another media type', (json) => ({ ...json, mediaType: 'application/json' })],
    ['a key that is none', (json) => ({ ...json, ctlogs: [withKey(json['ctlogs'], 'AAAA')] })],
    ['no authorities', (json) => ({ ...json, certificateAuthorities: undefined })],
  ])('refuses %s', async (_, change) => {
    const text = JSON.stringify(change({ ...sigstore.root }));
    await expect(parseTrustedRoot(Buffer.from(text), 'root.json')).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
    });
  });
});

function withoutStart(logs: unknown): unknown {
  const [log] = structuredClone(logs) as { publicKey: { validFor: unknown } }[];
  if (log !== undefined) log.publicKey.validFor = {};
  return log;
}

function withKey(logs: unknown, rawBytes: string): unknown {
  const [log] = structuredClone(logs) as { publicKey: { rawBytes: string } }[];
  if (log !== undefined) log.publicKey.rawBytes = rawBytes;
  return log;
}
