// The part of the library that sigstore.ts uses. Its own declarations name neither the extensions
// of a certificate nor their values.

declare module '@sigstore/bundle' {
  export interface Bundle {
    readonly mediaType: string;
  }
  export function bundleFromJSON(json: unknown): Bundle;
}

declare module '@sigstore/protobuf-specs' {
  export interface TrustedRoot {
    readonly mediaType: string;
  }
  export const TrustedRoot: { fromJSON(json: unknown): TrustedRoot };
}

declare module '@sigstore/verify' {
  import type { KeyObject } from 'node:crypto';

  import type { Bundle } from '@sigstore/bundle';
  import type { TrustedRoot } from '@sigstore/protobuf-specs';

  interface Asn1 {
    readonly subs: readonly Asn1[];
  }

  interface Certificate {
    extension(oid: string): { readonly valueObj: Asn1 } | undefined;
  }

  export interface SignedEntity {
    readonly signature: {
      verifySignature(key: KeyObject): boolean;
    };
    readonly key:
      | { readonly $case: 'certificate'; readonly certificate: Certificate }
      | { readonly $case: 'public-key'; readonly hint: string };
    readonly timestamps: readonly (
      | {
          readonly $case: 'timestamp-authority';
          readonly timestamp: { readonly signingTime: Date };
        }
      | {
          readonly $case: 'transparency-log';
          readonly tlogEntry: { readonly integratedTime: string };
        }
    )[];
  }

  export interface TrustMaterial {
    readonly publicKey: unknown;
  }

  export function toSignedEntity(bundle: Bundle, artifact?: Buffer): SignedEntity;
  export function toTrustMaterial(
    root: TrustedRoot,
    key: (hint: string) => {
      readonly publicKey: KeyObject;
      readonly validFor: (date: Date) => boolean;
    },
  ): TrustMaterial;

  export class Verifier {
    constructor(
      material: TrustMaterial,
      options: {
        readonly tlogThreshold: number;
        readonly ctlogThreshold: number;
        readonly timestampThreshold: number;
      },
    );
    verify(entity: SignedEntity): {
      readonly identity?:
        | {
            readonly subjectAlternativeName?: string | undefined;
            readonly extensions?: { readonly issuer?: string | undefined } | undefined;
            readonly oids?:
              | readonly {
                  readonly oid?: { readonly id: readonly number[] } | undefined;
                  readonly value: Buffer;
                }[]
              | undefined;
          }
        | undefined;
    };
  }
}
