import * as z from 'zod/mini';

import { strictBase64, strictJson, strictProtobufJson } from './strict-text.ts';
import { refusal, type Refusal } from './verdict.ts';

/** A DSSE envelope with its one signature. */
export interface Envelope {
  readonly payload: Uint8Array;
  readonly payloadType: string;
  readonly signature: Uint8Array;
}

/** Something that may be a signature of an image, after the step `shape`. */
export type Candidate = BundleCandidate | EnvelopeCandidate | SimpleSigningCandidate;

/** cosign 3 and GitHub: a Sigstore bundle with a DSSE envelope. */
export interface BundleCandidate {
  readonly form: 'bundle';
  readonly envelope: Envelope;
  /** Bundles name a key by a hint that selects nothing, or carry a certificate. */
  readonly material: 'certificate' | 'key';
  /** The certificate of the signer in base64. */
  readonly certificate: string | undefined;
  /** The parsed JSON, for the library that verifies certificates and logs. */
  readonly json: unknown;
}

/** cosign 2's attestations: a bare DSSE envelope. */
export interface EnvelopeCandidate {
  readonly form: 'envelope';
  readonly envelope: Envelope;
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * cosign 2 and skopeo: the payload is the blob, the signature stands in the layer's annotations.
 */
export interface SimpleSigningCandidate {
  readonly form: 'simple-signing';
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
}

export const BUNDLE_TYPE_PREFIX = 'application/vnd.dev.sigstore.bundle';
export const SIMPLE_SIGNING_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
export const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';

const BUNDLE_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.dev.sigstore.bundle+json;version=0.1',
  'application/vnd.dev.sigstore.bundle+json;version=0.2',
  'application/vnd.dev.sigstore.bundle+json;version=0.3',
  'application/vnd.dev.sigstore.bundle.v0.3+json',
]);
const STATEMENT_TYPE = 'application/vnd.in-toto+json';

const EnvelopeShape = z.object({
  payload: z.string(),
  payloadType: z.string(),
  signatures: z.array(z.object({ sig: z.string() })),
});

const BundleShape = z.object({
  mediaType: z.string(),
  verificationMaterial: z.object({
    certificate: z.optional(z.object({ rawBytes: z.string() })),
    x509CertificateChain: z.optional(
      z.object({ certificates: z.array(z.object({ rawBytes: z.string() })) }),
    ),
    publicKey: z.optional(z.object({ hint: z.optional(z.string()) })),
  }),
  messageSignature: z.optional(z.unknown()),
  dsseEnvelope: z.optional(EnvelopeShape),
});

/**
 * Reads a Sigstore bundle.
 *
 * @see https://github.com/sigstore/protobuf-specs (bundle v0.1 to v0.3)
 */
export function parseBundle(bytes: Uint8Array): BundleCandidate | Refusal {
  const json = strictProtobufJson(bytes);
  if (json === undefined) return refusal('shape', 'it is not JSON with each name once');
  const parsed = z.safeParse(BundleShape, json.value);
  if (!parsed.success) return refusal('shape', 'it does not have the fields of a bundle');
  const { mediaType, verificationMaterial, messageSignature, dsseEnvelope } = parsed.data;
  if (!BUNDLE_TYPES.has(mediaType)) {
    return refusal('shape', `its media type is ${JSON.stringify(mediaType)}`);
  }
  if (messageSignature !== undefined || dsseEnvelope === undefined) {
    return refusal('shape', 'it is no DSSE envelope');
  }
  const { certificate, x509CertificateChain, publicKey } = verificationMaterial;
  const materials = [certificate, x509CertificateChain, publicKey];
  if (materials.filter((material) => material !== undefined).length !== 1) {
    return refusal('shape', 'it names no signer, or several');
  }
  if (x509CertificateChain !== undefined && mediaType.includes('0.3')) {
    return refusal('shape', 'a bundle of version 0.3 has one certificate, not a chain');
  }
  const envelope = envelopeOf(dsseEnvelope);
  if ('step' in envelope) return envelope;
  return {
    form: 'bundle',
    envelope,
    material: publicKey === undefined ? 'certificate' : 'key',
    certificate: (certificate ?? x509CertificateChain?.certificates[0])?.rawBytes,
    json: json.value,
  };
}

/** Reads a layer of a `.att` image: a bare DSSE envelope. */
export function parseEnvelope(
  bytes: Uint8Array,
  annotations: Readonly<Record<string, string>>,
): EnvelopeCandidate | Refusal {
  const json = strictJson(bytes);
  const parsed = json === undefined ? undefined : z.safeParse(EnvelopeShape, json.value);
  if (parsed?.success !== true) return refusal('shape', 'it is no DSSE envelope');
  const envelope = envelopeOf(parsed.data);
  return 'step' in envelope ? envelope : { form: 'envelope', envelope, annotations };
}

/** Reads a layer of a `.sig` image: the payload, with its signature in the annotations. */
export function parseSimpleSigning(
  payload: Uint8Array,
  annotations: Readonly<Record<string, string>>,
): Refusal | SimpleSigningCandidate {
  const text = annotations[SIGNATURE_ANNOTATION];
  if (text === undefined || text === '') {
    return refusal('shape', `its layer has no annotation ${SIGNATURE_ANNOTATION}`);
  }
  const signature = strictBase64(text);
  if (signature === undefined) return refusal('shape', 'its signature is not strict base64');
  return { form: 'simple-signing', payload, signature, annotations };
}

function envelopeOf({
  payload: payloadText,
  payloadType,
  signatures,
}: z.infer<typeof EnvelopeShape>): Envelope | Refusal {
  const [first, ...more] = signatures;
  if (first === undefined || more.length > 0) {
    return refusal('shape', `it has ${signatures.length} signatures instead of one`);
  }
  if (payloadType !== STATEMENT_TYPE) {
    return refusal('shape', `its payload is ${JSON.stringify(payloadType)} instead of a statement`);
  }
  const payload = strictBase64(payloadText);
  const signature = strictBase64(first.sig);
  if (payload === undefined || signature === undefined || signature.byteLength === 0) {
    return refusal('shape', 'its payload or signature is not strict base64');
  }
  return { payload, payloadType, signature };
}

/**
 * The bytes that a DSSE signature covers.
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
 */
function preAuthenticationEncoding({ payload, payloadType }: Envelope): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Returns the bytes that the signature of a candidate covers. */
export function signedBytes(candidate: Candidate): Uint8Array {
  return candidate.form === 'simple-signing'
    ? candidate.payload
    : preAuthenticationEncoding(candidate.envelope);
}

export function signatureOf(candidate: Candidate): Uint8Array {
  return candidate.form === 'simple-signing' ? candidate.signature : candidate.envelope.signature;
}
