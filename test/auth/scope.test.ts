import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  formatScope,
  mergeScopes,
  parseScope,
  parseScopes,
  repositoryScope,
  sameScopes,
  scopeKey,
} from '../../src/auth/scope.ts';

describe('parseScope()', () => {
  test('splits the type at the first colon and the actions at the last', () => {
    expect(parseScope('repository:registry.local:5000/team/app:pull,push')).toEqual({
      kind: 'resource',
      type: 'repository',
      name: 'registry.local:5000/team/app',
      actions: ['pull', 'push'],
    });
  });

  test.each(['aws', '*', '', ':', 'a:b', ':a:b', 'a::b', 'a:b:'])(
    'passes %j on as it is',
    (text) => {
      expect(parseScope(text)).toEqual({ kind: 'opaque', text });
    },
  );

  test('formatScope() returns any text unchanged', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^[a-c:,*]{0,12}$/)),
        (text) => formatScope(parseScope(text)) === text,
      ),
    );
  });
});

describe('parseScopes()', () => {
  test('reads scopes separated by spaces', () => {
    expect(parseScopes('repository:a:pull  aws').map(formatScope)).toEqual([
      'repository:a:pull',
      'aws',
    ]);
  });

  test('is empty when there is no scope', () => {
    expect(parseScopes(undefined)).toEqual([]);
  });
});

describe('mergeScopes()', () => {
  test('joins the actions of one resource and keeps the needed one first', () => {
    const merged = mergeScopes(
      [repositoryScope('b', ['pull', 'push']), repositoryScope('a', ['pull'])],
      parseScopes('repository:a:push,pull repository:b:delete *'),
    );
    expect(merged.map(formatScope)).toEqual([
      'repository:b:pull,push,delete',
      'repository:a:pull,push',
      '*',
    ]);
  });

  test('changes nothing when all actions are included', () => {
    const needed = parseScopes('repository:a:pull,push *');
    expect(sameScopes(mergeScopes(needed, parseScopes('* repository:a:push')), needed)).toBe(true);
  });
});

describe('sameScopes()', () => {
  test('ignores the order of scopes and actions', () => {
    expect(
      sameScopes(
        parseScopes('repository:a:pull,push repository:b:pull'),
        parseScopes('repository:b:pull repository:a:push,pull'),
      ),
    ).toBe(true);
  });

  test.each([
    ['repository:a:pull', 'repository:a:push'],
    ['repository:a:pull', 'repository:b:pull'],
    ['repository:a:pull', 'repository:a:pull,push'],
    ['repository:a:pull', ''],
  ])('tells %j from %j', (a, b) => {
    expect(sameScopes(parseScopes(a), parseScopes(b))).toBe(false);
  });
});

describe('scopeKey()', () => {
  test('is the same for any order', () => {
    const scope = fc.tuple(
      fc.constantFrom('a', 'b', 'c'),
      fc.array(fc.constantFrom('pull', 'push', 'delete'), { minLength: 1 }),
    );
    const scopes = fc.array(
      scope.map(([name, actions]) => parseScope(`repository:${name}:${actions.join(',')}`)),
    );
    fc.assert(fc.property(scopes, (list) => scopeKey(list) === scopeKey(list.toReversed())));
  });
});
