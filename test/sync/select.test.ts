import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isDigestTag } from '../../src/oci/digest.ts';
import { selectTags, type TagSelection } from '../../src/sync/plan/select.ts';

const HEX = 'a'.repeat(64);
const LISTED = ['latest', '1.0.0', '1.1.0', '2.0.0', '2.0.0-rc1', '12', `sha256-${HEX}.sig`];

async function select(listed: readonly string[], selection: TagSelection) {
  return selectTags(listed, selection, async (tags) => new Map(tags.map((tag) => [tag, tag])));
}

describe('selectTags()', () => {
  test('drops digest tags first', async () => {
    const { tags, steps } = await select(LISTED, { tags: [] });
    expect(tags).not.toContain(`sha256-${HEX}.sig`);
    expect(steps[0]).toEqual({
      step: 'digest tags',
      before: 7,
      after: 6,
      samples: [`sha256-${HEX}.sig`],
    });
  });

  test('lets one pattern take and none exclude', async () => {
    const { tags } = await select(LISTED, { tags: ['>=1.0', 'latest', '!2.*'] });
    expect(tags).toEqual(['1.0.0', '1.1.0', '12', 'latest']);
  });

  test('keeps the newest versions, drops words, and leaves plain names uncounted', async () => {
    const { tags, old } = await select(LISTED, {
      tags: ['*', 'latest'],
      latest: { count: 2, sort: 'semver' },
    });
    expect(tags).toEqual(['12', '2.0.0', 'latest']);
    expect(old).toEqual(['1.0.0', '1.1.0', '2.0.0-rc1']);
  });

  test('names plain names that are missing and patterns that take nothing', async () => {
    const { missing, idle } = await select(LISTED, { tags: ['1.0.0', '9.9.9', '/^nightly/'] });
    expect(missing).toEqual(['9.9.9']);
    expect(idle).toEqual(['/^nightly/']);
  });

  test('says when fewer than min are selected', async () => {
    const { tooFew } = await select(LISTED, { tags: ['1.*'], min: 3 });
    expect(tooFew).toEqual({ found: 2, wanted: 3 });
  });

  test('keeps the newest by name and by date', async () => {
    const byName = await select(['a', 'b', 'c'], { tags: [], latest: { count: 1, sort: 'name' } });
    expect(byName.tags).toEqual(['c']);
    const dates = new Map([
      ['a', '2026-01-03'],
      ['b', '2026-01-02'],
    ]);
    const byDate = await selectTags(
      ['a', 'b', 'c'],
      { tags: [], latest: { count: 1, sort: 'created' } },
      async () => dates,
    );
    expect(byDate.tags).toEqual(['a']);
  });

  test('does not depend on the order of the list or of the patterns', async () => {
    const pattern = fc.constantFrom(
      '*',
      '1.*',
      '>=1.5',
      '!*-rc*',
      'latest',
      '/^v/',
      '2.0.0',
      '!12',
    );
    const tag = fc.oneof(
      fc.constantFrom(...LISTED, 'v1.2.3', 'edge'),
      fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20)).map((parts) => parts.join('.')),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(tag, { maxLength: 30 }),
        fc.array(pattern, { maxLength: 5 }),
        fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
        fc.constantFrom('semver', 'name', 'created'),
        async (listed, patterns, count, sort) => {
          const latest = count === undefined ? undefined : { count, sort: sort as 'name' };
          const one = await select(listed, { tags: patterns, latest });
          const other = await select(listed.toReversed(), {
            tags: patterns.toReversed(),
            latest,
          });
          expect(other).toEqual(one);
          for (const { before, after } of one.steps) expect(after).toBeLessThanOrEqual(before);
          expect(one.tags.every((name) => !isDigestTag(name))).toBe(true);
        },
      ),
    );
  });
});
