import { expect, test } from 'vitest';

import { commandOf } from '../../src/render/layers.ts';
import { fit, fitLineEnd, wrapText } from '../../src/render/text.ts';
import { styled } from '../../src/styled.ts';

test.each([
  ['', 5, ['']],
  ['abcdefgh', 5, ['abcde', 'fgh']],
  ['a bcdefgh', 5, ['a bcd', 'efgh']],
  ['abcd efgh', 7, ['abcd', 'efgh']],
  ['山田太郎', 5, ['山田', '太郎']],
  ['e\u0301e\u0301e\u0301', 2, ['e\u0301e\u0301', 'e\u0301']],
  ['👩‍👩‍👧👩‍👩‍👧', 3, ['👩‍👩‍👧', '👩‍👩‍👧']],
] as const)('wrapText(%j, %d)', (text, width, wanted) => {
  expect(wrapText(text, width)).toEqual(wanted);
});

test('fit() ends a text with an ellipsis only when it does not fit', () => {
  const unicode = { columns: 80, unicode: true };
  expect(fit('abcde', 5, unicode)).toBe('abcde');
  expect(fit('abcdef', 5, unicode)).toBe('abcd…');
  expect(fit('山田太郎', 6, { ...unicode, unicode: false })).toBe('山...');
});

test('fitLineEnd() keeps the end of a line, and its role', () => {
  const unicode = { columns: 80, unicode: true };
  expect(fitLineEnd('abcde', 5, unicode)).toBe('abcde');
  expect(fitLineEnd('abcdef', 5, unicode)).toBe('…cdef');
  expect(fitLineEnd('山田太郎', 6, { ...unicode, unicode: false })).toBe('...郎');
  expect(fitLineEnd(styled('name', 'abcdef'), 3, unicode)).toEqual(styled('name', '…ef'));
});

test.each([
  ['/bin/sh -c #(nop) ADD file:1234 in / ', 'ADD file:1234 in /'],
  ['/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'],
  ['/bin/sh -c apt-get update', 'RUN apt-get update'],
  ['RUN /bin/sh -c apt-get update # buildkit', 'RUN apt-get update'],
  ['|2 A=b C=d e /bin/sh -c make', 'RUN make'],
  ['RUN |1 A=b /bin/sh -c make # buildkit', 'RUN make'],
  ['COPY dir:1 in /usr # buildkit', 'COPY dir:1 in /usr'],
  ['RUN set -x \\\n  && make\tall', 'RUN set -x && make all'],
  ['debootstrap \u001b[2J', 'debootstrap \\x1b[2J'],
])('commandOf(%j)', (createdBy, wanted) => {
  expect(commandOf(createdBy)).toBe(wanted);
});
