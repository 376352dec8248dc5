import { createPublicKey, verify, type KeyObject } from 'node:crypto';

import { RegiError } from '../errors.ts';
import { quote } from '../quote.ts';

/** A public key that a policy names, with the hash that its signatures use. */
export interface SigningKey {
  /** The file that it came from, for people. */
  readonly name: string;
  /** A public key. */
  readonly key: KeyObject;
  /** The hash that cosign signs with for such a key. */
  readonly hash: 'sha256' | 'sha384' | 'sha512';
}

const ONE_BLOCK =
  /^\s*-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----\s*$/;
const MIN_RSA_BITS = 2048;
/** The hash that cosign signs with for each curve. */
const HASHES: Readonly<Record<string, SigningKey['hash']>> = {
  prime256v1: 'sha256',
  secp384r1: 'sha384',
  secp521r1: 'sha512',
};

/**
 * Parses the one `PUBLIC KEY` block of a PEM file. Node itself would take a private key, a
 * certificate, or the first of two.
 *
 * @throws {RegiError} INVALID_CONFIG for any other content, and for keys that cannot be verified
 *   with: Ed25519, because cosign signs Ed25519ph and Node has no such verifier.
 */
export function parseSigningKey(text: string, name: string): SigningKey {
  if (!ONE_BLOCK.test(text)) {
    const found = /-----BEGIN (?<label>[A-Z0-9 ]+)-----/.exec(text)?.groups?.['label'];
    throw unusable(name, `expected one PUBLIC KEY block, found ${foundBlock(text, found)}`);
  }
  return signingKeyOf(keyOf(text, name), name);
}

/**
 * Finds the hash that signatures of a key use.
 *
 * @throws {RegiError} INVALID_CONFIG for a kind of key that cannot be verified with.
 */
export function signingKeyOf(key: KeyObject, name: string): SigningKey {
  const details = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details.modulusLength ?? 0;
    if (bits >= MIN_RSA_BITS) return { name, key, hash: 'sha256' };
    throw unusable(name, `expected RSA of at least ${MIN_RSA_BITS} bits, found ${bits}`);
  }
  const hash = HASHES[details.namedCurve ?? ''];
  if (key.asymmetricKeyType === 'ec' && hash !== undefined) return { name, key, hash };
  throw unusable(
    name,
    `expected an RSA, P-256, P-384 or P-521 key, found ${details.namedCurve ?? key.asymmetricKeyType ?? 'another'}`,
  );
}

/** True if `signature` over `data` was made by the key. */
export function verifies(
  { key, hash }: SigningKey,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  try {
    return verify(hash, data, key, signature);
  } catch {
    // OpenSSL throws for some malformed signatures instead of refusing them.
    return false;
  }
}

/** True if both are one key, in whatever encoding they were written. */
export function isSameKey(one: SigningKey, other: SigningKey): boolean {
  return one.key.equals(other.key);
}

function keyOf(text: string, name: string): KeyObject {
  try {
    return createPublicKey({ key: text, format: 'pem' });
  } catch (cause) {
    throw unusable(name, 'expected a key that OpenSSL reads', cause);
  }
}

function foundBlock(text: string, label: string | undefined): string {
  if (label === undefined) return 'no PEM';
  return label === 'PUBLIC KEY' && text.split('-----BEGIN').length > 2 ? 'several blocks' : label;
}

function unusable(name: string, problem: string, cause?: unknown): RegiError {
  return new RegiError('INVALID_CONFIG', `Cannot use the key ${quote(name)}: ${problem}`, {
    hint: 'give the .pub file that cosign generate-key-pair wrote',
    cause,
  });
}
