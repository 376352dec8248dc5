import { createCipheriv } from 'node:crypto';

/**
 * Returns bytes that look random and are the same for the same seed, so that digests in tests are
 * stable.
 */
export function randomBytes(size: number, seed: number): Uint8Array {
  const key = Buffer.alloc(16);
  key.writeDoubleBE(seed);
  return new Uint8Array(
    createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size)),
  );
}
