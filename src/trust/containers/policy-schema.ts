import * as z from 'zod/mini';

import { referenceIn } from '../../oci/reference.ts';

const Path = z.string().check(z.minLength(1));
const Base64 = z.string().check(z.regex(/^[A-Za-z0-9+/=\r\n]+$/, 'base64'));
const Reference = z.string().check(z.refine(isExactReference, 'an image with a tag or digest'));
const Repository = z
  .string()
  .check(z.refine((text) => referenceIn(text) !== undefined, 'an image'));
const Prefix = z.string().check(z.refine(isPrefix, 'HOST[:PORT] or HOST[:PORT]/PATH'));

const SignedIdentity = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('matchExact') }),
  z.strictObject({ type: z.literal('matchRepoDigestOrExact') }),
  z.strictObject({ type: z.literal('matchRepository') }),
  z.strictObject({ type: z.literal('exactReference'), dockerReference: Reference }),
  z.strictObject({ type: z.literal('exactRepository'), dockerRepository: Repository }),
  z.strictObject({ type: z.literal('remapIdentity'), prefix: Prefix, signedPrefix: Prefix }),
]);

const SignedBy = z.strictObject({
  type: z.literal('signedBy'),
  keyType: z.enum(['GPGKeys', 'signedByGPGKeys', 'X509Certificates', 'signedByX509CAs']),
  keyPath: z.optional(Path),
  keyPaths: z.optional(z.array(Path).check(z.minLength(1))),
  keyData: z.optional(Base64),
  signedIdentity: z.optional(SignedIdentity),
});

const SigstoreSigned = z.strictObject({
  type: z.literal('sigstoreSigned'),
  keyPath: z.optional(Path),
  keyPaths: z.optional(z.array(Path).check(z.minLength(1))),
  keyData: z.optional(Base64),
  keyDatas: z.optional(z.array(Base64).check(z.minLength(1))),
  fulcio: z.optional(
    z.strictObject({
      caPath: z.optional(Path),
      caData: z.optional(Base64),
      oidcIssuer: Path,
      subjectEmail: Path,
    }),
  ),
  pki: z.optional(
    z.strictObject({
      caRootsPath: z.optional(Path),
      caRootsData: z.optional(Base64),
      caIntermediatesPath: z.optional(Path),
      caIntermediatesData: z.optional(Base64),
      subjectEmail: z.optional(z.string()),
      subjectHostname: z.optional(z.string()),
    }),
  ),
  rekorPublicKeyPath: z.optional(Path),
  rekorPublicKeyPaths: z.optional(z.array(Path).check(z.minLength(1))),
  rekorPublicKeyData: z.optional(Base64),
  rekorPublicKeyDatas: z.optional(z.array(Base64).check(z.minLength(1))),
  signedIdentity: z.optional(SignedIdentity),
});

const Requirement = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('insecureAcceptAnything') }),
  z.strictObject({ type: z.literal('reject') }),
  z.strictObject({ type: z.literal('signedBaseLayer'), baseLayerIdentity: SignedIdentity }),
  SignedBy,
  SigstoreSigned,
]);

const Requirements = z.array(Requirement).check(z.minLength(1));

/**
 * The file policy.json: every member is known and has its type, as podman and skopeo read it.
 *
 * @see https://github.com/containers/image/blob/v5.36.2/docs/containers-policy.json.5.md
 */
export const CONTAINERS_POLICY_SCHEMA = z.strictObject({
  default: Requirements,
  transports: z.optional(z.record(z.string(), z.record(z.string(), Requirements))),
});

export type WrittenRequirement = z.infer<typeof Requirement>;
export type WrittenSignedBy = z.infer<typeof SignedBy>;
export type WrittenSigstoreSigned = z.infer<typeof SigstoreSigned>;
export type WrittenIdentity = z.infer<typeof SignedIdentity>;

function isExactReference(text: string): boolean {
  const found = referenceIn(text);
  return found !== undefined && (found.tag !== undefined || found.digest !== undefined);
}

/** A short name such as `busybox` would never match: names are compared in full. */
function isPrefix(text: string): boolean {
  const host =
    /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?$|^\[[A-Fa-f0-9:]+\](?::[0-9]+)?$/;
  const [first = '', ...rest] = text.split('/');
  return (
    host.test(first) && rest.every((word) => /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/.test(word))
  );
}
