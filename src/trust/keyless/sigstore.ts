// The only file that knows the library. The build makes a file of its own of it, so nothing of src
// may be imported here but types.
import { X509Certificate, type KeyObject } from 'node:crypto';

import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier, type TrustMaterial } from '@sigstore/verify';

/** A signature with its evidence, as a bundle. */
export interface Evidence {
  /** Parsed JSON of a trusted root. */
  readonly root: unknown;
  /** Parsed JSON of a bundle. */
  readonly bundle: unknown;
  /** The signed bytes of a message signature. */
  readonly artifact: Buffer | undefined;
  /** DER of the certificate in the bundle; undefined for a signature by a key. */
  readonly certificate: Buffer | undefined;
  /** The key of a rule, for a signature without a certificate. */
  readonly key: KeyObject | undefined;
  /** Verifies the signature with the key of the certificate, or with `key`. */
  readonly verifySignature: (key: KeyObject) => boolean;
}

/** The facts that a certificate authority, logs and timestamp authorities vouch for. */
export interface VerifiedEvidence {
  /** The name in the certificate, by whatever kind of name. */
  readonly subject: string | undefined;
  /** The number of names in the certificate. */
  readonly subjects: number;
  readonly issuer: string | undefined;
  /** Values of extensions by their OID, as text. */
  readonly extensions: ReadonlyMap<string, string>;
  readonly times: readonly Date[];
}

const SUBJECT_ALT_NAME = '2.5.29.17';
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

/** Throws what the library throws, of any kind, unless it can verify with the trusted root. */
export function checkRoot(root: unknown): void {
  materialOf(root, undefined);
}

/**
 * Verifies certificate, log entries and timestamps against a trusted root: at least one entry, and
 * for a certificate one SCT and one time.
 *
 * @throws errors of the library of any kind: all of them mean that the evidence does not hold.
 */
export function verifyEvidence(evidence: Evidence): VerifiedEvidence {
  const { root, bundle, artifact, certificate, key, verifySignature } = evidence;
  const entity = toSignedEntity(bundleFromJSON(bundle), artifact);
  const isKeyless = key === undefined;
  if (
    (entity.key.$case === 'certificate') !== isKeyless ||
    isKeyless !== (certificate !== undefined)
  )
    throw new Error('another kind of signer');
  const verifier = new Verifier(materialOf(root, key), {
    tlogThreshold: 1,
    ctlogThreshold: isKeyless ? 1 : 0,
    timestampThreshold: isKeyless ? 1 : 0,
  });
  // The library verifies DSSE with SHA-256 whatever the key is.
  const signature = Object.assign(Object.create(entity.signature) as typeof entity.signature, {
    verifySignature,
  });
  const { identity } = verifier.verify({ ...entity, signature });
  if (certificate !== undefined) checkPurpose(certificate);
  const subjects =
    entity.key.$case === 'certificate'
      ? (entity.key.certificate.extension(SUBJECT_ALT_NAME)?.valueObj.subs[0]?.subs.length ?? 0)
      : 0;
  return {
    subject: identity?.subjectAlternativeName,
    subjects,
    issuer: identity?.extensions?.issuer,
    extensions: new Map(
      (identity?.oids ?? []).map(({ oid, value }) => [
        oid?.id.join('.') ?? '',
        value.toString('utf8'),
      ]),
    ),
    times: entity.timestamps.map((timestamp) =>
      timestamp.$case === 'timestamp-authority'
        ? timestamp.timestamp.signingTime
        : new Date(Number(timestamp.tlogEntry.integratedTime) * 1000),
    ),
  };
}

/** An authority may make certificates for servers and for other authorities, too. */
function checkPurpose(der: Buffer): void {
  const certificate = new X509Certificate(der);
  if (certificate.ca || !certificate.keyUsage.includes(CODE_SIGNING))
    throw new Error('its certificate is not for signing code');
}

function materialOf(root: unknown, key: KeyObject | undefined): TrustMaterial {
  return toTrustMaterial(TrustedRoot.fromJSON(root), () => {
    if (key === undefined) throw new Error('there is no key');
    return { publicKey: key, validFor: () => true };
  });
}
