import type { RegiError } from '../../errors.ts';
import type { Reference } from '../../oci/reference.ts';
import type { CallOptions } from '../../store.ts';
import type { TrustedRoot } from '../keyless/trusted-root.ts';
import type { SigningKey } from '../signing-key.ts';
import type { SignedIdentity } from './signed-identity.ts';

/** A requirement of policy.json, with its keys. All requirements of a scope have to hold. */
export type Requirement =
  | { readonly type: 'insecureAcceptAnything' }
  | { readonly type: 'reject' }
  /** No image satisfies it: podman and skopeo lack it too, or regi does. */
  | { readonly type: 'unsupported'; readonly reason: string }
  /** Its keys cannot be used. Only images that need them fail. */
  | { readonly type: 'broken'; readonly error: RegiError }
  | SignedBy
  | SigstoreSigned;

/** A GPG signature by one of several keys. */
export interface SignedBy {
  /** The word of policy.json. */
  readonly type: 'signedBy';
  /** OpenPGP packets of the keys, not armored. */
  readonly keyrings: readonly Uint8Array[];
  /** The name that the signature has to have. */
  readonly identity: SignedIdentity;
}

/** A sigstore signature by one of several keys. */
export interface SigstoreSigned {
  /** The word of policy.json. */
  readonly type: 'sigstoreSigned';
  /** One of them has to have signed. */
  readonly keys: readonly SigningKey[];
  /** The log that has to vouch for the signature; undefined where none has to. */
  readonly log: TrustedRoot | undefined;
  /** The name that the signature has to have. */
  readonly identity: SignedIdentity;
}

/** The requirements of an image, and the places of its signatures. */
export interface ContainersRule {
  readonly kind: 'containers';
  /** The image has to meet all of them. */
  readonly requirements: readonly Requirement[];
  /** By its tag or by its digest, as the operator named it; undefined for an image of a file. */
  readonly image: Reference | undefined;
  /** True if sigstore signatures are looked for beside the image. */
  readonly readsAttachments: boolean;
  /** Where GPG signatures are; undefined for an image of a file, which has none. */
  readonly lookaside:
    | {
        readonly base: URL;
        /** The repository without its registry. */
        readonly path: string;
      }
    | undefined;
  /** Verifies a GPG signature with the keys of a requirement; returns the signed bytes. */
  readonly verifyGpg: (
    signature: Uint8Array,
    keyrings: readonly Uint8Array[],
    options: CallOptions,
  ) => Promise<GpgVerdict>;
}

/** Why gpgv refused a signature, or what it signs. */
export type GpgVerdict =
  | { readonly isGood: false; readonly reason: string }
  | {
      readonly isGood: true;
      /** Upper-case hex of the primary key. */
      readonly fingerprint: string;
      /** The signed bytes, as gpgv wrote them. */
      readonly content: Uint8Array;
    };
