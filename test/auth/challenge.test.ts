import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseChallenges, selectChallenge, type Challenge } from '../../src/auth/challenge.ts';
import { parseScope, parseScopes } from '../../src/auth/scope.ts';
import { tokenUrl } from '../../src/auth/token-client.ts';
import table from '../tables/challenges.json' with { type: 'json' };

interface Row {
  readonly id: string;
  readonly headers: readonly string[];
  readonly challenges: readonly {
    readonly scheme: string;
    readonly params: Readonly<Record<string, string | undefined>>;
    readonly token68?: string;
  }[];
  readonly select: string | null;
  readonly wantScopes?: readonly string[];
  readonly tokenUrl?: string;
}

const rows: readonly Row[] = table.cases;

describe('parseChallenges()', () => {
  test.each(rows)('parses $id', ({ headers, challenges }) => {
    expect(parseChallenges(headers.join(', ')).map(toRow)).toEqual(challenges);
  });

  test('returns nothing for an absent header', () => {
    expect(parseChallenges(undefined)).toEqual([]);
  });

  test('uses the last of two equal parameters', () => {
    expect(parseChallenges('Basic realm="a", realm=b').map(toRow)).toEqual([
      { scheme: 'basic', params: { realm: 'b' } },
    ]);
  });

  test('keeps a parameter called __proto__ a parameter', () => {
    expect(parseChallenges('Basic __proto__=x')[0]?.params.get('__proto__')).toBe('x');
  });

  test('keeps the part before an unclosed quote', () => {
    expect(
      parseChallenges('Basic realm="a", Bearer realm="https://x').map(({ scheme }) => scheme),
    ).toEqual(['basic', 'bearer']);
  });

  test('never throws', () => {
    const grammar = fc.array(
      fc.constantFrom(
        'Bearer',
        'Basic',
        'realm',
        '=',
        '"',
        ',',
        ' ',
        '\t',
        '\\',
        'https://a/b',
        'x==',
        '\0',
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          grammar.map((words) => words.join('')),
        ),
        (text) => {
          selectChallenge(parseChallenges(text));
        },
      ),
    );
  });

  test('reads any quoted text back', () => {
    const token = fc.stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,8}$/);
    const params = fc.uniqueArray(fc.tuple(token, fc.string()), {
      selector: ([name]) => name,
      minLength: 1,
      maxLength: 4,
    });
    const challenges = fc.array(fc.tuple(token, params), { maxLength: 4 });
    fc.assert(
      fc.property(challenges, (wanted) => {
        const header = wanted.map(
          ([scheme, list]) =>
            `${scheme} ${list.map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`).join(', ')}`,
        );
        expect(parseChallenges(header.join(',')).map(toRow)).toEqual(
          wanted.map(([scheme, list]) => ({ scheme, params: Object.fromEntries(list) })),
        );
      }),
    );
  });

  test.each(['Bearer realm="', 'a ', 'a=', ' ', ',', '"', '\\', 'a a=" '])(
    'takes linear time for a long run of %j',
    (unit) => {
      const text = `Bearer ${unit.repeat(1_000_000 / unit.length)}`;
      const start = performance.now();
      parseChallenges(text);
      expect(performance.now() - start).toBeLessThan(30_000);
    },
  );
});

describe('selectChallenge()', () => {
  test.each(rows)('selects the supported challenge of $id', ({ headers, select }) => {
    expect(selectChallenge(parseChallenges(headers.join(', ')))?.kind).toBe(select ?? undefined);
  });

  test('selects Basic when the Bearer challenge has no usable realm', () => {
    expect(selectChallenge(parseChallenges('Bearer realm="/token", Basic realm="x"'))).toEqual({
      kind: 'basic',
    });
  });

  test.each([
    'ftp://a/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'https:',
    'https://',
    'http://[::1',
    '//a/token',
    '',
  ])('refuses the realm %j', (realm) => {
    expect(selectChallenge(parseChallenges(`Bearer realm="${realm}"`))).toBeUndefined();
  });
});

describe('tokenUrl()', () => {
  test.each(rows.filter((row) => row.tokenUrl !== undefined))(
    'is what $id expects',
    ({ headers, wantScopes = [], tokenUrl: wanted = '' }) => {
      const challenge = selectChallenge(parseChallenges(headers.join(', ')));
      if (challenge?.kind !== 'bearer') throw new Error('expected a Bearer challenge');
      const scopes =
        wantScopes.length > 0 ? wantScopes.map(parseScope) : parseScopes(challenge.scope);
      expect(partsOf(tokenUrl(challenge.realm, challenge.service, scopes))).toEqual(
        partsOf(new URL(wanted)),
      );
    },
  );

  test("keeps the realm's own query byte for byte", () => {
    expect(tokenUrl(new URL('https://a/t?sig=a%20b+c%2F&x'), 's', []).search).toBe(
      '?sig=a%20b+c%2F&x&service=s',
    );
  });
});

function toRow({ scheme, params, token68 }: Challenge): object {
  return { scheme, params: Object.fromEntries(params), ...(token68 !== undefined && { token68 }) };
}

function partsOf(url: URL): object {
  return {
    origin: url.origin,
    user: url.username,
    path: url.pathname,
    query: [...url.searchParams],
  };
}
