import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

import { toDescriptorJson, type Descriptor } from '../../../src/oci/descriptor.ts';
import { algorithmOf, encodedOf, type Digest } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/media-types.ts';
import type { Store } from '../../../src/store.ts';
import { nodeOf, type TestNode } from './images.ts';
import { bytesOf } from '../../../src/bytes.ts';

/** A key pair that signs as cosign does. */
export interface Signer {
  /** The file that `--key` names. */
  readonly pem: string;
  readonly key: KeyObject;
  readonly sign: (data: Uint8Array) => Buffer;
}

/** A signature in a manifest, with its blobs. */
export interface TestSignature {
  readonly root: Descriptor;
  readonly nodes: readonly TestNode[];
  /** Pushes it; by the tag of cosign where `tag` is its image. */
  pushTo(store: Store, tag?: string): Promise<void>;
}

export interface StatementOptions {
  /** The signed digest, where it is not that of the subject. */
  readonly signed?: Digest | undefined;
  readonly predicateType?: string | undefined;
  /** The subject of the manifest; undefined for none. */
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';
export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
export const SIMPLE_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const STATEMENT_TYPE = 'application/vnd.in-toto+json';

/** Makes a P-256 key pair. */
export function makeSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return {
    pem: publicKey.export({ format: 'pem', type: 'spki' }) as string,
    key: publicKey,
    sign: (data) => sign('sha256', data, privateKey),
  };
}

/** Makes the statement that cosign 3 signs. */
export function statementOf(
  digest: Digest,
  { predicateType = SIGN_PREDICATE, annotations }: StatementOptions = {},
): Buffer {
  return Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { [algorithmOf(digest)]: encodedOf(digest) }, annotations }],
      predicateType,
      predicate: {},
    }),
  );
}

/** Returns the bytes that a DSSE signature covers. */
export function encodedForSigning(payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${STATEMENT_TYPE.length} ${STATEMENT_TYPE} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Makes the envelope of a signed statement. */
export function envelopeOf(payload: Uint8Array, signature: Uint8Array): object {
  return {
    payload: Buffer.from(payload).toString('base64'),
    payloadType: STATEMENT_TYPE,
    signatures: [{ sig: Buffer.from(signature).toString('base64') }],
  };
}

/** Makes a signature as cosign 3 writes it: a bundle that refers to the image. */
export function makeBundle(
  image: Descriptor,
  signer: Signer,
  options: StatementOptions = {},
): TestSignature {
  const payload = statementOf(options.signed ?? image.digest, options);
  const hint = createHash('sha256')
    .update(signer.key.export({ format: 'der', type: 'spki' }))
    .digest('base64');
  const bundle = {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint } },
    dsseEnvelope: envelopeOf(payload, signer.sign(encodedForSigning(payload))),
  };
  const subject = 'subject' in options ? options.subject : image;
  return bundleManifest(Buffer.from(JSON.stringify(bundle)), subject);
}

/** Makes the manifest of a bundle. */
export function bundleManifest(bundle: Uint8Array, subject: Descriptor | undefined): TestSignature {
  const layer = nodeOf(BUNDLE_TYPE, bundle);
  const config = nodeOf(MEDIA_TYPE.ociEmpty, Buffer.from('{}'));
  const manifest = json(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    artifactType: BUNDLE_TYPE,
    config: toDescriptorJson(config.descriptor),
    layers: [toDescriptorJson(layer.descriptor)],
    ...(subject && { subject: toDescriptorJson(bare(subject)) }),
  });
  return signatureOf([layer, config, manifest]);
}

/** Makes a signature as cosign 2 writes it, for the tag `sha256-<hex>.sig`. */
export function makeSimpleSigning(
  image: Descriptor,
  signer: Signer,
  options: Pick<StatementOptions, 'signed'> & {
    readonly annotations?: Readonly<Record<string, string>>;
    /** The name that it states. */
    readonly name?: string;
  } = {},
): TestSignature {
  const payload = makeSimplePayload(options.signed ?? image.digest, options.name);
  return simpleManifest(payload, {
    'dev.cosignproject.cosign/signature': signer.sign(payload).toString('base64'),
    ...options.annotations,
  });
}

/** Makes the manifest of a payload with its signature in annotations. */
export function simpleManifest(
  payload: Uint8Array,
  annotations: Readonly<Record<string, string>>,
): TestSignature {
  const layer = nodeOf(SIMPLE_TYPE, payload);
  const config = json(MEDIA_TYPE.ociConfig, { architecture: '', os: '', rootfs: {}, config: {} });
  const manifest = json(MEDIA_TYPE.ociManifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.ociManifest,
    config: toDescriptorJson(config.descriptor),
    layers: [toDescriptorJson({ ...layer.descriptor, annotations })],
  });
  return signatureOf([layer, config, manifest]);
}

/** Makes the payload that cosign 2 signs. */
export function makeSimplePayload(digest: Digest, name = 'registry.example/app'): Buffer {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': name },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );
}

/** Returns the tag under which cosign 2 keeps signatures of a manifest. */
export function signatureTag({ digest }: Pick<Descriptor, 'digest'>): string {
  return `${digest.replace(':', '-')}.sig`;
}

function signatureOf(nodes: readonly TestNode[]): TestSignature {
  const root = nodes.at(-1)?.descriptor;
  if (root === undefined) throw new Error('A signature has a manifest');
  return {
    root,
    nodes,
    async pushTo(store, tag) {
      for (const { descriptor, bytes } of nodes) await store.push(descriptor, bytesOf(bytes));
      if (tag !== undefined) await store.tag(root, tag);
    },
  };
}

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function json(mediaType: string, value: unknown): TestNode {
  return nodeOf(mediaType, Buffer.from(JSON.stringify(value)));
}
