import fc from 'fast-check';
import { expect, test } from 'vitest';

import { nextPage, parseLinkHeader } from '../../src/registry/link-header.ts';
import table from '../tables/link-headers.json' with { type: 'json' };

const asked = new URL('https://reg.example.com/v2/a/tags/list?n=2');

test.each(table.cases)('nextPage() follows the row $id', ({ requestUrl, link, next }) => {
  const found = nextPage(new URL(requestUrl), link ?? undefined);
  expect(found.kind === 'next' ? found.url.href : null).toBe(next);
});

test.each(['no-angle-brackets', 'unclosed-bracket', 'same-page-again', 'target-without-query'])(
  'nextPage() says that the row %s is broken',
  (id) => {
    const row = table.cases.find((candidate) => candidate.id === id);
    expect(nextPage(new URL(row?.requestUrl ?? ''), row?.link ?? '').kind).toBe('broken');
  },
);

test('nextPage() returns broken for a target that is no URL', () => {
  expect(nextPage(asked, '<http://[?x>; rel="next"').kind).toBe('broken');
});

test('parseLinkHeader() reads targets and relations of several links', () => {
  expect(parseLinkHeader('</a>; rel="first Next" , </b>;rel=last')).toEqual([
    { target: '/a', relations: ['first', 'next'] },
    { target: '/b', relations: ['last'] },
  ]);
});

test('nextPage() never throws, and never leaves origin and path', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^<[^>]*>; rel="?next"?.*$/)), (link) => {
      const next = nextPage(asked, link);
      if (next.kind === 'next')
        expect([next.url.origin, next.url.pathname]).toEqual([asked.origin, asked.pathname]);
    }),
  );
});

test('nextPage() uses the query of any target', () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true }), (target) => {
      const { search } = new URL(target);
      fc.pre(search !== '' && search !== asked.search && !target.includes('>'));
      const next = nextPage(asked, `<${target}>; rel="next"`);
      expect(next.kind === 'next' ? next.url.search : '').toBe(search);
    }),
  );
});
