import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createWarningReader, parseWarnings } from '../../src/registry/warnings.ts';

test.each([
  ['299 - "Your image is old"', ['Your image is old']],
  ['299 - "a \\"b\\" c"', ['a "b" c']],
  ['299 - "a, b" , 299 - "c"', ['a, b', 'c']],
  ['299 - "a" "Sun, 20 Sep 2026 12:00:00 GMT", 299 - "b"', ['a', 'b']],
  ['110 - "Response is stale", 299 - "b"', ['b']],
  ['299 registry.example "not for people"', []],
  ['299 - unquoted', []],
  ['299 - "never closed', []],
  ['', []],
])('parseWarnings() reads %j', (header, texts) => {
  expect(parseWarnings(header)).toEqual(texts);
});

test('parseWarnings() ends on any text', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('2', '9', ' ', '-', '"', ',', '\\', 'a') }),
      (text) => void parseWarnings(text),
    ),
  );
});

test('createWarningReader() reports a text once', () => {
  const reported: string[] = [];
  const read = createWarningReader((text) => reported.push(text));
  read('299 - "a"');
  read('299 - "a", 299 - "b"');
  read(undefined);
  expect(reported).toEqual(['a', 'b']);
});

test('createWarningReader() reports at most 4 KiB for one registry', () => {
  const reported: string[] = [];
  const read = createWarningReader((text) => reported.push(text));
  for (let index = 0; index < 100; index += 1) read(`299 - "${index} ${'x'.repeat(500)}"`);
  expect(reported.join('').length).toBeLessThanOrEqual(4096);
});
