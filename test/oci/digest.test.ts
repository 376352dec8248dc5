import { createHash } from 'node:crypto';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  algorithmOf,
  digestFrom,
  digestOf,
  encodedOf,
  InvalidDigestError,
  isDigest,
  parseDigest,
} from '../../src/oci/digest.ts';

const HEX = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

describe('parseDigest()', () => {
  test.each([`sha256:${HEX}`, `sha512:${HEX}${HEX}`])('accepts %s', (text) => {
    expect(parseDigest(text)).toBe(text);
    expect(isDigest(text)).toBe(true);
  });

  test.each([
    ['', 'expected an algorithm, ":" and hex digits'],
    [HEX, 'expected an algorithm, ":" and hex digits'],
    [`:${HEX}`, 'expected sha256 or sha512, found algorithm ""'],
    [`sha384:${HEX}`, 'expected sha256 or sha512, found algorithm "sha384"'],
    [`SHA256:${HEX}`, 'expected sha256 or sha512, found algorithm "SHA256"'],
    [`toString:${HEX}`, 'expected sha256 or sha512, found algorithm "toString"'],
    ['sha256:ab', 'expected 64 hex digits, found 2 characters'],
    [`sha512:${HEX}`, 'expected 128 hex digits, found 64 characters'],
    [`sha256:${HEX.toUpperCase()}`, 'expected the digits 0-9 and a-f only'],
    [`sha256:${HEX.slice(1)}\n`, 'expected the digits 0-9 and a-f only'],
    [`sha256:../../${HEX.slice(6)}`, 'expected the digits 0-9 and a-f only'],
    [`sha256:${HEX}\n`, 'expected 64 hex digits, found 65 characters'],
  ])('refuses %j', (text, problem) => {
    expect(() => parseDigest(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_DIGEST', problem, text }),
    );
    expect(isDigest(text)).toBe(false);
  });

  test('agrees with isDigest() on any text, and throws nothing else', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('sha256', ':', HEX, 'a', 'G', 'sha512') }),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        let accepted = true;
        try {
          parseDigest(text);
        } catch (error) {
          if (!(error instanceof InvalidDigestError)) throw error;
          accepted = false;
        }
        expect(isDigest(text)).toBe(accepted);
      }),
    );
  });
});

describe('digestOf()', () => {
  test('is the digest that every tool computes', () => {
    expect(digestOf(new Uint8Array())).toBe(`sha256:${HEX}`);
    expect(digestOf(Buffer.from('{}'))).toBe(
      'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    );
  });

  test('makes a digest that parseDigest() accepts', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.constantFrom('sha256' as const, 'sha512' as const),
        (content, algorithm) => {
          const digest = digestOf(content, algorithm);
          expect(parseDigest(digest)).toBe(digest);
          expect(`${algorithmOf(digest)}:${encodedOf(digest)}`).toBe(digest);
          expect(digestFrom(createHash(algorithm).update(content), algorithm)).toBe(digest);
        },
      ),
    );
  });
});
