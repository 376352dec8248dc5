import { createHash, X509Certificate } from 'node:crypto';

import * as z from 'zod/mini';

import type { Digest } from '../../oci/digest.ts';
import { signatureOf, signedBytes, type Candidate } from '../candidate.ts';
import { checkContent } from '../content.ts';
import type { KeylessRule, KeyRule } from '../policy.ts';
import { signingKeyOf, verifies, type SigningKey } from '../signing-key.ts';
import { strictBase64, strictJson } from '../strict-text.ts';
import { isRefusal, refusal, type Refusal } from '../verdict.ts';
import { checkIdentity } from './identity.ts';
import { checkLogEntries, isValidAt, pemContent } from './log-entries.ts';
import type { VerifiedEvidence } from './sigstore.ts';
import type { TrustedKey, TrustedRoot } from './trusted-root.ts';

/**
 * A signer that a certificate names, and the time that a log or a timestamp authority vouches for.
 */
export interface CertifiedSigner {
  readonly subject: string;
  readonly issuer: string;
  readonly time: Date;
  readonly log: string;
}

const CERTIFICATE_ANNOTATION = 'dev.sigstore.cosign/certificate';
const BUNDLE_ANNOTATION = 'dev.sigstore.cosign/bundle';
const TIMESTAMP_ANNOTATION = 'dev.sigstore.cosign/rfc3161timestamp';

/** Verifies one candidate by its certificate: the steps `signer` to `content` of a keyless rule. */
export async function verifyWithCertificate(
  candidate: Candidate,
  digest: Digest,
  rule: KeylessRule,
): Promise<CertifiedSigner | Refusal> {
  const der = certificateOf(candidate);
  if (der === undefined)
    return refusal('signer', 'it has no certificate, and the policy asks for an identity');
  const key = keyOfCertificate(der);
  if (key === undefined)
    return refusal('signer', 'its certificate or the key in it cannot be used');
  if (!verifies(key, signedBytes(candidate), signatureOf(candidate)))
    return refusal('signature', 'the key of its certificate did not make its signature');
  const checked = await checkEvidence(candidate, { der, key: undefined, signer: key }, rule.root);
  if (isRefusal(checked)) return checked;
  const { facts, logs } = checked;
  const refused = checkIdentity(facts, rule) ?? checkContent(candidate, digest, rule);
  const [time] = facts.times.toSorted((one, other) => one.getTime() - other.getTime());
  const { subject, issuer } = facts;
  if (refused !== undefined) return refused;
  if (subject === undefined || issuer === undefined || time === undefined)
    return refusal('log', 'no time of it is verified');
  return { subject, issuer, time, log: logs[0]?.name ?? '' };
}

/** Checks that a log vouches for a signature by the key of a rule. */
export async function checkLogOfKey(
  candidate: Candidate,
  signer: SigningKey,
  root: NonNullable<KeyRule['root']>,
): Promise<Refusal | undefined> {
  const der = signer.key.export({ format: 'der', type: 'spki' });
  const checked = await checkEvidence(candidate, { der, key: signer.key, signer }, root);
  return isRefusal(checked) ? checked : undefined;
}

interface SignerOfEvidence {
  /** DER of the certificate, or of the public key. */
  readonly der: Buffer;
  /** The key of a rule; undefined for a certificate. */
  readonly key: SigningKey['key'] | undefined;
  readonly signer: SigningKey;
}

async function checkEvidence(
  candidate: Candidate,
  { der, key, signer }: SignerOfEvidence,
  root: TrustedRoot,
): Promise<{ readonly facts: VerifiedEvidence; readonly logs: readonly TrustedKey[] } | Refusal> {
  const bundle = bundleOf(candidate, der, key !== undefined);
  if (isRefusal(bundle)) return bundle;
  const { verificationMaterial: material } = bundle;
  const checked = checkLogEntries(material, der, root);
  if (isRefusal(checked)) return checked;
  const { entries, logs, timeless } = checked;
  const { verifyEvidence } = await import('./sigstore.ts');
  let facts: VerifiedEvidence;
  try {
    facts = verifyEvidence({
      root: root.json,
      bundle: { ...bundle, verificationMaterial: { ...material, tlogEntries: entries } },
      artifact: candidate.form === 'simple-signing' ? Buffer.from(candidate.payload) : undefined,
      certificate: key === undefined ? der : undefined,
      key,
      // The library passes the key of the certificate that it has verified.
      verifySignature: (found) =>
        found.equals(signer.key) &&
        verifies(signer, signedBytes(candidate), signatureOf(candidate)),
    });
  } catch (error) {
    // Whatever it throws for foreign bytes, a TypeError too, means that the evidence does not hold.
    return refusal('log', `its evidence does not hold: ${messageOf(error)}`);
  }
  const { times } = facts;
  if (timeless.some((log) => times.some((time) => !isValidAt(log, time))))
    return refusal('log', 'the key of its log was not valid at that time');
  if (times.length === 0 && timeless.some(({ end }) => end !== undefined))
    return refusal('log', 'the key of its log was withdrawn, and no time of it is verified');
  return { facts, logs };
}

interface AnyBundle {
  readonly verificationMaterial: object;
}

const LegacyBundle = z.object({
  SignedEntryTimestamp: z.string(),
  Payload: z.object({
    body: z.string(),
    integratedTime: z.int(),
    logIndex: z.int(),
    logID: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  }),
});
const LegacyTimestamp = z.object({ SignedRFC3161Timestamp: z.string() });
const LogBody = z.object({ kind: z.string(), apiVersion: z.string() });

/** Returns the candidate as a bundle; the annotations of cosign 2 become one of version 0.1. */
function bundleOf(candidate: Candidate, der: Buffer, isKey: boolean): AnyBundle | Refusal {
  if (candidate.form === 'bundle') return candidate.json as AnyBundle;
  const { annotations } = candidate;
  const text = annotations[BUNDLE_ANNOTATION];
  const json = text === undefined ? undefined : strictJson(Buffer.from(text));
  const parsed = json === undefined ? undefined : z.safeParse(LegacyBundle, json.value);
  const body = parsed?.success === true ? strictBase64(parsed.data.Payload.body) : undefined;
  const kind = body === undefined ? undefined : z.safeParse(LogBody, strictJson(body)?.value);
  if (parsed?.success !== true || kind?.success !== true)
    return refusal('log', `it has no log entry in its annotation ${BUNDLE_ANNOTATION}`);
  const { SignedEntryTimestamp, Payload } = parsed.data;
  const timestamps = timestampsOf(annotations[TIMESTAMP_ANNOTATION]);
  if (timestamps === undefined) return refusal('log', 'its timestamp cannot be read');
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    verificationMaterial: {
      ...(isKey
        ? { publicKey: { hint: '' } }
        : { x509CertificateChain: { certificates: [{ rawBytes: der.toString('base64') }] } }),
      tlogEntries: [
        {
          logIndex: String(Payload.logIndex),
          logId: { keyId: Buffer.from(Payload.logID, 'hex').toString('base64') },
          kindVersion: { kind: kind.data.kind, version: kind.data.apiVersion },
          integratedTime: String(Payload.integratedTime),
          inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
          canonicalizedBody: Payload.body,
        },
      ],
      timestampVerificationData: { rfc3161Timestamps: timestamps },
    },
    ...contentOf(candidate),
  } as AnyBundle;
}

function contentOf(candidate: Exclude<Candidate, { readonly form: 'bundle' }>): object {
  const signature = Buffer.from(signatureOf(candidate)).toString('base64');
  if (candidate.form === 'envelope') {
    const { payload, payloadType } = candidate.envelope;
    const text = Buffer.from(payload).toString('base64');
    return { dsseEnvelope: { payload: text, payloadType, signatures: [{ sig: signature }] } };
  }
  const digest = createHash('sha256').update(candidate.payload).digest('base64');
  return { messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest }, signature } };
}

function timestampsOf(text: string | undefined): readonly object[] | undefined {
  if (text === undefined || text === '') return [];
  const json = strictJson(Buffer.from(text));
  const parsed = json === undefined ? undefined : z.safeParse(LegacyTimestamp, json.value);
  if (parsed?.success !== true) return undefined;
  return [{ signedTimestamp: parsed.data.SignedRFC3161Timestamp }];
}

/** Returns the DER of the certificate beside a signature; undefined where there is none. */
function certificateOf(candidate: Candidate): Buffer | undefined {
  if (candidate.form === 'bundle')
    return candidate.certificate === undefined ? undefined : strictBase64(candidate.certificate);
  const pem = candidate.annotations[CERTIFICATE_ANNOTATION];
  return pem === undefined ? undefined : pemContent(pem);
}

function keyOfCertificate(der: Buffer): SigningKey | undefined {
  try {
    return signingKeyOf(new X509Certificate(der).publicKey, 'its certificate');
  } catch {
    // OpenSSL, or a key that is not accepted of anybody.
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
