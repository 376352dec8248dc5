import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  InvalidTagPatternError,
  parseTagPattern,
  tagFilter,
} from '../../../src/operations/tags/select-tags.ts';
import { outcomeOf } from '../../support/outcome.ts';

const TAGS = [
  'latest',
  '1',
  '1.2',
  'v1.2.3',
  '1.9.0',
  '1.2.3-alpine',
  '2.0.0',
  '22.04',
  '1.x',
  'sha256-abc.sig',
  'Stable',
];

const select = (...patterns: readonly string[]): readonly string[] =>
  TAGS.filter(tagFilter(patterns));

describe('tagFilter()', () => {
  test.each([
    [[], TAGS],
    [['latest'], ['latest']],
    [['1'], ['1']],
    [['1.2'], ['1.2']],
    [['stable'], []],
    [['1.*'], ['1.2', '1.9.0', '1.2.3-alpine', '1.x']],
    [['*'], TAGS],
    [['v?.*'], ['v1.2.3']],
    [['[0-9]'], ['1']],
    [['{latest,22.*}'], ['latest', '22.04']],
    [['/^v/'], ['v1.2.3']],
    [['/alp/'], ['1.2.3-alpine']],
    [['/^stable$/i'], ['Stable']],
    [['>=1.2 <2'], ['1.2', 'v1.2.3', '1.9.0']],
    [['^1.2'], ['1.2', 'v1.2.3', '1.9.0']],
    [['~1.2'], ['1.2', 'v1.2.3']],
    [['1.x'], ['1', '1.2', 'v1.2.3', '1.9.0', '1.x']],
    [['1.2.x'], ['1.2', 'v1.2.3']],
    [['>=2'], ['2.0.0', '22.04']],
    [['>=22.04'], ['22.04']],
    [['1.0 - 1.5'], ['1', '1.2', 'v1.2.3']],
    [['~1.2 || >=22'], ['1.2', 'v1.2.3', '22.04']],
    [['>=1.2.3-0 <1.2.4'], ['v1.2.3', '1.2.3-alpine']],
    [
      ['latest', '22.*'],
      ['latest', '22.04'],
    ],
    [
      ['1*', '!*-alpine', '!1.2'],
      ['1', '1.9.0', '1.x'],
    ],
    [
      ['!*.sig', '!/^\\d/', '!v*'],
      ['latest', 'Stable'],
    ],
    [
      ['!>=0', '!latest'],
      ['1.2.3-alpine', '1.x', 'sha256-abc.sig', 'Stable'],
    ],
  ])('with %j takes %j', (patterns, tags) => {
    expect(select(...patterns)).toEqual(tags);
  });

  test('rejects text that is no tag, whatever the glob or expression', () => {
    const accepts = tagFilter(['/./', '*']);
    expect(['a/b', '', 'a'.repeat(129), '.x'].filter(accepts)).toEqual([]);
  });

  test('finds no version in a number too large to compare', () => {
    expect(
      ['99999999999999999999', '20240101', '1.99999999999999999999'].filter(tagFilter(['>=1'])),
    ).toEqual(['20240101']);
  });
});

describe('parseTagPattern()', () => {
  test.each([
    '',
    '!',
    '/',
    '//',
    '/a',
    '/(/',
    '/a/g',
    '>=x.y.z.w',
    '^',
    'a b',
    '[a',
    '{a',
    '.x',
    'ü',
    'a/b',
    'a'.repeat(129),
    '*'.repeat(600),
  ])('refuses %j', (text) => {
    expect(() => parseTagPattern(text)).toThrow(InvalidTagPatternError);
  });

  test('throws an error that names the pattern and the valid forms', () => {
    expect(() => parseTagPattern('/(/')).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: 'Cannot use tag pattern "/(/": expected a JavaScript regular expression',
        hint: expect.stringContaining('a glob such as'),
      }),
    );
  });

  test.each(['/^(a+)+$/', '/^(a|a)*$/', '/^(a?){128}a{128}$/', `${'*a'.repeat(20)}*b`])(
    'stops %s, which would backtrack forever',
    (text) => {
      const start = performance.now();
      const { matches } = parseTagPattern(text);
      expect([false, expect.any(InvalidTagPatternError)]).toContainEqual(
        outcomeOf(() => matches(`${'a'.repeat(127)}-`)),
      );
      expect(performance.now() - start).toBeLessThan(30_000);
    },
  );

  test('tests a thousand tags quickly', () => {
    const start = performance.now();
    const accepts = tagFilter(['1.*', '/^v\\d+/', '>=2']);
    expect(Array.from({ length: 1000 }, (_, index) => `1.${index}`).filter(accepts)).toHaveLength(
      1000,
    );
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  test('returns a value or throws a RegiError for any text', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.string({
        unit: fc.constantFrom(
          '1',
          '.',
          'x',
          '*',
          '!',
          '/',
          '(',
          ')',
          '[',
          ']',
          '{',
          ',',
          '}',
          '^',
          '~',
          '>',
          '=',
          ' ',
          '|',
          '\\',
          'a',
          '-',
          '+',
          '?',
        ),
        maxLength: 12,
      }),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        expect(outcomeOf(() => TAGS.filter(parseTagPattern(text).matches))).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });
});
