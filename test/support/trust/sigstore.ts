import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

import type { Digest } from '../../../src/oci/digest.ts';
import {
  encodedForSigning,
  envelopeOf,
  statementOf,
  type Signer,
  type StatementOptions,
} from '../images/signatures.ts';
import {
  bits,
  context,
  generalizedTime,
  integer,
  octets,
  oid,
  sequence,
  set,
  tagged,
  utf8,
  yes,
} from './der.ts';

const HOUR = 3_600_000;
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'));
export const ISSUER = 'https://accounts.example';
export const IDENTITY = 'https://ci.example/team/app/build@refs/tags/v1';

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

interface Authority extends Pair {
  readonly name: Buffer;
  readonly certificate: Buffer;
}

export interface CertificateOptions {
  readonly identity?: string;
  readonly issuer?: string;
  /** A second name beside the subject. */
  readonly second?: string;
  readonly sct?: 'good' | 'none' | 'of another log';
  readonly notBefore?: Date;
  readonly purposes?: readonly string[];
  readonly extensions?: Readonly<Record<string, string>>;
}

export interface SignOptions extends Omit<StatementOptions, 'subject'>, CertificateOptions {
  /** Rekor v1 with a promise and a proof, or v2 with a proof and a timestamp. */
  readonly rekor?: 'v1' | 'v2';
  readonly kind?: 'dsse' | 'hashedrekord';
  /** When the log took it in; the start of the certificate when absent. */
  readonly time?: Date;
  /** DER of another certificate or key than the signer's, which the log has. */
  readonly loggedSigner?: Buffer;
  /** A key that signs without a certificate, as `cosign sign --key` does. */
  readonly key?: Signer;
  readonly logKey?: Pair;
}

/** A certificate authority, a certificate log, a log and a timestamp authority of a test. */
export interface TestSigstore {
  /** The trusted root, as JSON. */
  readonly root: object;
  readonly log: Pair & { readonly id: Buffer };
  /** Makes a certificate for a new key. */
  certify(options?: CertificateOptions): Pair & { readonly der: Buffer };
  /** Signs an image as cosign does with a certificate, and returns the bundle as JSON. */
  signBundle(digest: Digest, options?: SignOptions): TestBundle;
  /** Returns the annotations with which cosign 2 signs a payload. */
  signPayload(payload: Buffer, options?: SignOptions): Readonly<Record<string, string>>;
}

export interface TestBundle {
  mediaType: string;
  verificationMaterial: {
    certificate?: { rawBytes: string };
    publicKey?: { hint: string };
    tlogEntries: TestLogEntry[];
    timestampVerificationData?: { rfc3161Timestamps: { signedTimestamp: string }[] };
  };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string }[] };
}

interface TestLogEntry {
  logIndex: string;
  logId: { keyId: string };
  kindVersion: { kind: string; version: string };
  integratedTime: string;
  inclusionPromise?: { signedEntryTimestamp: string };
  inclusionProof?: {
    logIndex: string;
    rootHash: string;
    treeSize: string;
    hashes: string[];
    checkpoint: { envelope: string };
  };
  canonicalizedBody: string;
}

/** The certificates of a test are of this time, whatever the clock says. */
export const SIGNED_AT = new Date('2026-03-01T12:00:00.000Z');

export function makeSigstore(): TestSigstore {
  const ca = makeAuthority('fulcio');
  const tsa = makeAuthority('timestamps');
  const [ctlog, log] = [makePair(), makePair()];
  const [ctlogId, logId] = [idOf(ctlog), idOf(log)];

  function certify({
    identity = IDENTITY,
    second,
    issuer = ISSUER,
    sct = 'good',
    notBefore = SIGNED_AT,
    purposes = ['1.3.6.1.5.5.7.3.3'],
    extensions = {},
  }: CertificateOptions = {}): Pair & { readonly der: Buffer } {
    const pair = makePair();
    const names = [identity, ...(second === undefined ? [] : [second])].map((name) =>
      // A URI, or an address of mail.
      tagged(name.includes('://') ? 0x86 : 0x81, Buffer.from(name)),
    );
    const own = [
      extension('2.5.29.15', bits(Buffer.from([0x80]), 7), true),
      extension('2.5.29.37', sequence(...purposes.map(oid))),
      extension('2.5.29.17', sequence(...names), true),
      extension('1.3.6.1.4.1.57264.1.8', utf8(issuer)),
      ...Object.entries(extensions).map(([id, value]) =>
        sequence(oid(id), octets(Buffer.from(value))),
      ),
    ];
    const make = (extra: readonly Buffer[]): Buffer =>
      tbs(
        {
          issuer: ca.name,
          subject: nameOf(''),
          key: pair.publicKey,
          from: notBefore,
          to: new Date(notBefore.getTime() + HOUR / 6),
        },
        [...own, ...extra],
      );
    const stamp =
      sct === 'none'
        ? []
        : [sctOf(make([]), ca, sct === 'good' ? ctlog : makePair(), ctlogId, notBefore)];
    return { ...pair, der: certificateOf(make(stamp), ca.privateKey) };
  }

  function entryOf(
    body: object,
    { kind, version }: { readonly kind: string; readonly version: string },
    time: Date,
    { rekor = 'v1', logKey = log }: SignOptions,
  ): TestLogEntry {
    const canonical = Buffer.from(JSON.stringify(sorted(body)));
    const integratedTime = rekor === 'v1' ? Math.floor(time.getTime() / 1000) : 0;
    const promise = sorted({
      body: canonical.toString('base64'),
      integratedTime,
      logIndex: 7001,
      logID: logId.toString('hex'),
    });
    const set_ = sign('sha256', Buffer.from(JSON.stringify(promise)), logKey.privateKey);
    return {
      logIndex: rekor === 'v1' ? '7001' : '1',
      logId: { keyId: logId.toString('base64') },
      kindVersion: { kind, version },
      integratedTime: String(integratedTime),
      ...(rekor === 'v1' && {
        inclusionPromise: { signedEntryTimestamp: set_.toString('base64') },
      }),
      inclusionProof: proofOf(canonical, logId, logKey),
      canonicalizedBody: canonical.toString('base64'),
    };
  }

  /** A key, or a certificate for a new one. */
  function signerOf(options: SignOptions): {
    readonly der: Buffer;
    readonly isKey: boolean;
    readonly sign: (data: Uint8Array) => Buffer;
  } {
    const { key } = options;
    if (key !== undefined) return { der: spki(key.key), isKey: true, sign: key.sign };
    const { der, privateKey } = certify(options);
    return { der, isKey: false, sign: (data) => sign('sha256', data, privateKey) };
  }

  function signBundle(digest: Digest, options: SignOptions = {}): TestBundle {
    const { rekor = 'v1', kind = rekor === 'v1' ? 'dsse' : 'hashedrekord' } = options;
    const signer = signerOf(options);
    const payload = statementOf(options.signed ?? digest, options);
    const pae = encodedForSigning(payload);
    const signature = signer.sign(pae);
    const time = options.time ?? new Date((options.notBefore ?? SIGNED_AT).getTime() + 1000);
    const logged = options.loggedSigner ?? signer.der;
    const content = signature.toString('base64');
    const body =
      rekor === 'v2'
        ? {
            apiVersion: '0.0.2',
            kind: 'hashedrekord',
            spec: {
              hashedRekordV002: {
                data: { algorithm: 'SHA2_256', digest: sha256(pae).toString('base64') },
                signature: {
                  content,
                  verifier: {
                    keyDetails: 'PKIX_ECDSA_P256_SHA_256',
                    [signer.isKey ? 'publicKey' : 'x509Certificate']: {
                      rawBytes: logged.toString('base64'),
                    },
                  },
                },
              },
            },
          }
        : {
            apiVersion: '0.0.1',
            kind: 'dsse',
            spec: {
              envelopeHash: { algorithm: 'sha256', value: '00'.repeat(32) },
              payloadHash: { algorithm: 'sha256', value: sha256(payload).toString('hex') },
              signatures: [{ signature: content, verifier: loggedPem(logged, signer.isKey) }],
            },
          };
    const version = rekor === 'v2' ? '0.0.2' : '0.0.1';
    return {
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: {
        ...(signer.isKey
          ? { publicKey: { hint: sha256(signer.der).toString('base64') } }
          : { certificate: { rawBytes: signer.der.toString('base64') } }),
        tlogEntries: [entryOf(body, { kind, version }, time, options)],
        ...(rekor === 'v2' && {
          timestampVerificationData: {
            rfc3161Timestamps: [
              { signedTimestamp: timestampOf(signature, tsa, time).toString('base64') },
            ],
          },
        }),
      },
      dsseEnvelope: envelopeOf(payload, signature) as TestBundle['dsseEnvelope'],
    };
  }

  function signPayload(
    payload: Buffer,
    options: SignOptions = {},
  ): Readonly<Record<string, string>> {
    const signer = signerOf(options);
    const signature = signer.sign(payload);
    const time = options.time ?? new Date((options.notBefore ?? SIGNED_AT).getTime() + 1000);
    const logged = options.loggedSigner ?? signer.der;
    const body = {
      apiVersion: '0.0.1',
      kind: 'hashedrekord',
      spec: {
        data: { hash: { algorithm: 'sha256', value: sha256(payload).toString('hex') } },
        signature: {
          content: signature.toString('base64'),
          publicKey: { content: loggedPem(logged, signer.isKey) },
        },
      },
    };
    const entry = entryOf(body, { kind: 'hashedrekord', version: '0.0.1' }, time, options);
    return {
      'dev.cosignproject.cosign/signature': signature.toString('base64'),
      ...(!signer.isKey && { 'dev.sigstore.cosign/certificate': pemOf(signer.der) }),
      'dev.sigstore.cosign/bundle': JSON.stringify({
        SignedEntryTimestamp: entry.inclusionPromise?.signedEntryTimestamp,
        Payload: {
          body: entry.canonicalizedBody,
          integratedTime: Number(entry.integratedTime),
          logIndex: Number(entry.logIndex),
          logID: logId.toString('hex'),
        },
      }),
    };
  }

  const start = '2025-01-01T00:00:00.000Z';
  const logOf = (baseUrl: string, pair: Pair, id: Buffer): object => ({
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: {
      rawBytes: spki(pair.publicKey).toString('base64'),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor: { start },
    },
    logId: { keyId: id.toString('base64') },
  });
  const authorityOf = (
    uri: string,
    { certificate }: Authority,
    extra: readonly Buffer[] = [],
  ): object => ({
    subject: { organization: 'test', commonName: uri },
    uri,
    certChain: {
      certificates: [...extra, certificate].map((der) => ({ rawBytes: der.toString('base64') })),
    },
    validFor: { start },
  });
  const stamper = stamperOf(tsa);
  return {
    root: {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [logOf('https://rekor.example', log, logId)],
      certificateAuthorities: [authorityOf('https://fulcio.example', ca)],
      ctlogs: [logOf('https://ct.example', ctlog, ctlogId)],
      timestampAuthorities: [authorityOf('https://tsa.example', tsa, [stamper])],
    },
    log: { ...log, id: logId },
    certify,
    signBundle,
    signPayload,
  };
}

const stampers = new WeakMap<Authority, Pair & { readonly der: Buffer }>();

/** The certificate of the key that signs timestamps. */
function stamperOf(tsa: Authority): Buffer {
  return keyOfStamper(tsa).der;
}

function keyOfStamper(tsa: Authority): Pair & { readonly der: Buffer } {
  const known = stampers.get(tsa);
  if (known !== undefined) return known;
  const pair = makePair();
  const body = tbs(
    { issuer: tsa.name, subject: nameOf('stamper'), key: pair.publicKey, ...LONG },
    [
      extension('2.5.29.15', bits(Buffer.from([0x80]), 7), true),
      extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.8')), true),
    ],
    STAMPER_SERIAL,
  );
  const made = { ...pair, der: certificateOf(body, tsa.privateKey) };
  stampers.set(tsa, made);
  return made;
}

const STAMPER_SERIAL = Buffer.from([0x55]);
const LONG = { from: new Date('2025-01-01T00:00:00Z'), to: new Date('2045-01-01T00:00:00Z') };

/** A response of RFC 3161 over a signature. */
function timestampOf(signature: Buffer, tsa: Authority, time: Date): Buffer {
  const { privateKey } = keyOfStamper(tsa);
  const info = sequence(
    integer(1),
    oid('1.2.3.4'),
    sequence(SHA256, octets(sha256(signature))),
    integer(9),
    generalizedTime(time),
  );
  const attributes = [
    sequence(oid('1.2.840.113549.1.9.3'), set(oid('1.2.840.113549.1.9.16.1.4'))),
    sequence(oid('1.2.840.113549.1.9.4'), set(octets(sha256(info)))),
  ];
  const signerInfo = sequence(
    integer(1),
    sequence(tsa.name, integer(STAMPER_SERIAL)),
    SHA256,
    context(0, ...attributes),
    ECDSA_SHA256,
    octets(sign('sha256', set(...attributes), privateKey)),
  );
  const signedData = sequence(
    integer(3),
    set(SHA256),
    sequence(oid('1.2.840.113549.1.9.16.1.4'), context(0, octets(info))),
    set(signerInfo),
  );
  return sequence(
    sequence(integer(0)),
    sequence(oid('1.2.840.113549.1.7.2'), context(0, signedData)),
  );
}

/** The proof of the second of three leaves, with a checkpoint that the log signs. */
function proofOf(
  body: Buffer,
  logId: Buffer,
  { privateKey }: Pair,
): NonNullable<TestLogEntry['inclusionProof']> {
  const leaf = (content: Buffer): Buffer => sha256(Buffer.concat([Buffer.from([0]), content]));
  const node = (left: Buffer, right: Buffer): Buffer =>
    sha256(Buffer.concat([Buffer.from([1]), left, right]));
  const [first, third] = [leaf(Buffer.from('first')), leaf(Buffer.from('third'))];
  const rootHash = node(node(first, leaf(body)), third);
  const note = `rekor.example\n3\n${rootHash.toString('base64')}\n`;
  const signature = sign('sha256', Buffer.from(note), privateKey);
  const line = Buffer.concat([logId.subarray(0, 4), signature]).toString('base64');
  return {
    logIndex: '1',
    rootHash: rootHash.toString('base64'),
    treeSize: '3',
    hashes: [first, third].map((hash) => hash.toString('base64')),
    checkpoint: { envelope: `${note}\n\u2014 rekor.example ${line}\n` },
  };
}

/** An extension with a timestamp of a certificate log (RFC 6962, 3.2 and 3.3). */
function sctOf(
  precertificate: Buffer,
  ca: Authority,
  { privateKey }: Pair,
  logId: Buffer,
  time: Date,
): Buffer {
  const timestamp = Buffer.alloc(8);
  timestamp.writeBigUInt64BE(BigInt(time.getTime()));
  const length = Buffer.alloc(3);
  length.writeUIntBE(precertificate.byteLength, 0, 3);
  const signed = Buffer.concat([
    Buffer.from([0, 0]),
    timestamp,
    Buffer.from([0, 1]),
    sha256(spki(ca.publicKey)),
    length,
    precertificate,
    Buffer.from([0, 0]),
  ]);
  const signature = sign('sha256', signed, privateKey);
  const size = (count: number): Buffer => Buffer.from([Math.floor(count / 256), count % 256]);
  const sct = Buffer.concat([
    Buffer.from([0]),
    logId,
    timestamp,
    Buffer.from([0, 0, 4, 3]),
    size(signature.byteLength),
    signature,
  ]);
  const list = Buffer.concat([size(sct.byteLength + 2), size(sct.byteLength), sct]);
  return extension('1.3.6.1.4.1.11129.2.4.2', octets(list));
}

function makeAuthority(name: string): Authority {
  const pair = makePair();
  const own = nameOf(name);
  const body = tbs({ issuer: own, subject: own, key: pair.publicKey, ...LONG }, [
    extension('2.5.29.19', sequence(yes), true),
    extension('2.5.29.15', bits(Buffer.from([0x06]), 1), true),
  ]);
  return { ...pair, name: own, certificate: certificateOf(body, pair.privateKey) };
}

interface Facts {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly key: KeyObject;
  readonly from: Date;
  readonly to: Date;
}

function tbs(
  { issuer, subject, key, from, to }: Facts,
  extensions: readonly Buffer[],
  serial = Buffer.from([0x2a]),
): Buffer {
  return sequence(
    context(0, integer(2)),
    integer(serial),
    ECDSA_SHA256,
    issuer,
    sequence(generalizedTime(from), generalizedTime(to)),
    subject,
    spki(key),
    context(3, sequence(...extensions)),
  );
}

function certificateOf(body: Buffer, key: KeyObject): Buffer {
  return sequence(body, ECDSA_SHA256, bits(sign('sha256', body, key)));
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [yes] : []), octets(value));
}

function nameOf(text: string): Buffer {
  return text === '' ? sequence() : sequence(set(sequence(oid('2.5.4.3'), utf8(text))));
}

function makePair(): Pair {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

function idOf({ publicKey }: Pair): Buffer {
  return sha256(spki(publicKey));
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}

function pemOf(der: Buffer, label = 'CERTIFICATE'): string {
  const lines = der.toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines.trimEnd()}\n-----END ${label}-----\n`;
}

/** A signer as Rekor v1 writes it into an entry. */
function loggedPem(der: Buffer, isKey: boolean): string {
  return Buffer.from(pemOf(der, isKey ? 'PUBLIC KEY' : 'CERTIFICATE')).toString('base64');
}

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
