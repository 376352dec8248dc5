import { createHash, type Hash } from 'node:crypto';

import { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';

declare const digestBrand: unique symbol;

/**
 * `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. Only this module makes one, so it is safe in
 * a path or URL.
 */
export type Digest = string & { readonly [digestBrand]: true };

export type DigestAlgorithm = keyof typeof HEX_LENGTH;

const HEX_LENGTH = { sha256: 64, sha512: 128 } as const;

/** A text that is not a digest which regi can verify. */
export class InvalidDigestError extends RegiError {
  /** The refused text. */
  readonly text: string;
  /** The rule that the text breaks. */
  readonly problem: string;

  constructor(text: string, problem: string) {
    super('INVALID_DIGEST', `Cannot parse digest ${quote(text)}: ${problem}`, {
      hint: 'write sha256:<64 hex> or sha512:<128 hex>, in lower case',
    });
    this.text = text;
    this.problem = problem;
  }
}

/**
 * Parses a digest that can be verified.
 *
 * @throws {InvalidDigestError} on any other text, and on algorithms that regi cannot verify.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
 */
export function parseDigest(text: string): Digest {
  const problem = problemOf(...split(text));
  if (problem !== undefined) throw new InvalidDigestError(text, problem);
  return text as Digest;
}

/** True if `parseDigest` accepts the text. */
export function isDigest(text: string): text is Digest {
  return problemOf(...split(text)) === undefined;
}

/** Hashes bytes in memory. */
export function digestOf(content: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(content).digest('hex')}` as Digest;
}

/** Ends a hash, which cannot be used afterwards, and returns its digest. */
export function digestFrom(hash: Hash, algorithm: DigestAlgorithm): Digest {
  return `${algorithm}:${hash.digest('hex')}` as Digest;
}

/** Returns the algorithm before the hex digits. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm;
}

/** Returns the hex digits after the algorithm. */
export function encodedOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

function split(text: string): [algorithm: string, encoded: string | undefined] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}

function problemOf(algorithm: string, encoded: string | undefined): string | undefined {
  if (encoded === undefined) return 'expected an algorithm, ":" and hex digits';
  if (!isAlgorithm(algorithm))
    return `expected sha256 or sha512, found algorithm ${quote(algorithm)}`;
  const wanted = HEX_LENGTH[algorithm];
  if (encoded.length !== wanted)
    return `expected ${wanted} hex digits, found ${encoded.length} characters`;
  return /^[0-9a-f]+$/.test(encoded) ? undefined : 'expected the digits 0-9 and a-f only';
}

function isAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(HEX_LENGTH, text);
}

/**
 * True for a tag of the referrers tag schema or of cosign, `sha256-<hex>` or `sha256-<hex>.sig`: it
 * names a referrer, not an image.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema
 */
export function isDigestTag(tag: string): boolean {
  return digestInTag(tag) !== undefined;
}

/** Returns the digest of the image that a digest tag is about; undefined for other tags. */
export function digestInTag(tag: string): Digest | undefined {
  const digest = /^(sha256-[0-9a-f]{64}|sha512-[0-9a-f]{128})(?:\..+)?$/.exec(tag)?.[1];
  return digest === undefined ? undefined : parseDigest(digest.replace('-', ':'));
}
