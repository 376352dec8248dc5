import { createHash, type Hash } from 'node:crypto';

import { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';

declare const digestBrand: unique symbol;

/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case. Made only by this module, so it is safe in a path or URL. */
export type Digest = string & { readonly [digestBrand]: true };

export type DigestAlgorithm = keyof typeof HEX_LENGTH;

const HEX_LENGTH = { sha256: 64, sha512: 128 } as const;

/** A text that is no digest regi can verify. */
export class InvalidDigestError extends RegiError {
  /** The refused text. */
  readonly text: string;
  /** What was expected and what was found. */
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
 * @throws {InvalidDigestError} on any other text, other algorithms included: what cannot be verified is refused.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
 */
export function parseDigest(text: string): Digest {
  const colon = text.indexOf(':');
  if (colon < 0) throw new InvalidDigestError(text, 'expected an algorithm, ":" and hex digits');
  const algorithm = text.slice(0, colon);
  if (!isAlgorithm(algorithm))
    throw new InvalidDigestError(
      text,
      `expected sha256 or sha512, found algorithm ${quote(algorithm)}`,
    );
  const encoded = text.slice(colon + 1);
  const wanted = HEX_LENGTH[algorithm];
  if (encoded.length !== wanted)
    throw new InvalidDigestError(
      text,
      `expected ${wanted} hex digits, found ${encoded.length} characters`,
    );
  if (!/^[0-9a-f]+$/.test(encoded))
    throw new InvalidDigestError(text, 'expected the digits 0-9 and a-f only');
  return text as Digest;
}

/** Whether `parseDigest` would take the text. */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':');
  const algorithm = text.slice(0, Math.max(colon, 0));
  return (
    isAlgorithm(algorithm) &&
    text.length === colon + 1 + HEX_LENGTH[algorithm] &&
    /^[0-9a-f]+$/.test(text.slice(colon + 1))
  );
}

/** The digest of bytes that are in memory. */
export function digestOf(content: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(content).digest('hex')}` as Digest;
}

/** The digest a finished hash stands for. The hash cannot be used afterwards. */
export function digestFrom(hash: Hash, algorithm: DigestAlgorithm): Digest {
  return `${algorithm}:${hash.digest('hex')}` as Digest;
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm;
}

/** The hex digits behind the algorithm. */
export function encodedOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

function isAlgorithm(text: string): text is DigestAlgorithm {
  return Object.hasOwn(HEX_LENGTH, text);
}
