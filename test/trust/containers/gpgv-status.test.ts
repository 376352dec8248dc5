import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseGpgvStatus } from '../../../src/trust/containers/gpgv-status.ts';

const KEY = '6F2039DF05E564C8143504BAAD45AEE1F8E91029';
/** As gpgv 2.2.40 of Debian writes them for a good signature. */
const GOOD = [
  'PLAINTEXT 62 1796062580 ',
  'PLAINTEXT_LENGTH 281',
  'NEWSIG',
  `KEY_CONSIDERED ${KEY} 0`,
  'SIG_ID E3xoTFqm8AO1QosIfcNxayoW3nI 2026-11-30 1796062580',
  `KEY_CONSIDERED ${KEY} 0`,
  'GOODSIG AD45AEE1F8E91029 Test <t@example>',
  `VALIDSIG ${KEY} 2026-11-30 1796062580 0 4 0 22 8 00 ${KEY}`,
];

const text = (lines: readonly string[]): string =>
  lines.map((line) => `[GNUPG:] ${line}\n`).join('');
const replaced = (from: string, to: string): readonly string[] =>
  GOOD.map((line) => line.replace(new RegExp(`^${from}\\b`), to));

describe('parseGpgvStatus()', () => {
  test('takes one good signature over one content', () => {
    expect(parseGpgvStatus(text(GOOD))).toEqual({ isGood: true, fingerprint: KEY });
  });

  test('names the primary key of a signature by a subkey', () => {
    const [lines, subkey] = [GOOD.slice(0, -1), 'A'.repeat(40)];
    const valid = `VALIDSIG ${subkey} 2026-11-30 1796062580 0 4 0 22 8 00 ${KEY}`;
    expect(parseGpgvStatus(text([...lines, valid]))).toEqual({ isGood: true, fingerprint: KEY });
  });

  test.each([
    ['an expired signature', replaced('GOODSIG', 'EXPSIG'), 'its signature has expired'],
    [
      'an expired key',
      replaced('GOODSIG', 'EXPKEYSIG'),
      'the key that made its signature has expired',
    ],
    [
      'a revoked key',
      replaced('GOODSIG', 'REVKEYSIG'),
      'the key that made its signature is revoked',
    ],
    ['a bad signature', replaced('GOODSIG', 'BADSIG'), 'does not match its content'],
    [
      'an unknown key',
      [
        ...GOOD.slice(0, 3),
        'ERRSIG AD45AEE1F8E91029 22 8 00 1796062580 9 -',
        'NO_PUBKEY AD45AEE1F8E91029',
      ],
      'no key of the policy',
    ],
    ['two signatures', [...GOOD, ...GOOD.slice(2)], 'it has NEWSIG 2 times'],
    [
      'a good one before a bad one',
      [...GOOD, 'NEWSIG', 'BADSIG AD45AEE1F8E91029 x'],
      'does not match',
    ],
    ['two contents', [...GOOD.slice(0, 1), ...GOOD], 'it has PLAINTEXT 2 times'],
    ['no VALIDSIG', GOOD.slice(0, -1), 'it has VALIDSIG 0 times'],
    ['no content', GOOD.slice(2), 'it has PLAINTEXT 0 times'],
    [
      'text instead of binary content',
      [...GOOD.slice(0, -1), `VALIDSIG ${KEY} 2026-11-30 1796062580 0 4 0 22 8 01 ${KEY}`],
      'not one over binary content',
    ],
    ['a keyword of a later version', [...GOOD, 'DOUBT 1'], 'gpgv does not accept it (DOUBT)'],
    ['nothing', [], 'it has NEWSIG 0 times'],
  ])('refuses %s', (_, lines, reason) => {
    expect(parseGpgvStatus(text(lines))).toEqual({
      isGood: false,
      reason: expect.stringContaining(reason),
    });
  });

  test('refuses output that breaks off, at any place', () => {
    const whole = text(GOOD);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
        expect(parseGpgvStatus(whole.slice(0, length)).isGood).toBe(false);
      }),
    );
  });

  test('a user id cannot make a line of its own', () => {
    const lines = replaced('GOODSIG', 'BADSIG').map((line) =>
      line.replace('Test', `\r[GNUPG:] GOODSIG AD45AEE1F8E91029 Test`),
    );
    expect(parseGpgvStatus(text(lines)).isGood).toBe(false);
  });
});
