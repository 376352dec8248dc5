import { describe, expect, test } from 'vitest';

import { parseImageFilter, timeOf } from '../../../src/commands/local-store/image-filter.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import type { ImageSummary } from '../../../src/operations/inspect/summarize-image.ts';
import type { LocalImage } from '../../../src/stores/layout/local-store.ts';

const NOW = Date.parse('2026-01-10T12:00:00Z');
const DIGEST = digestOf(Buffer.from('image'));
const IMAGE: LocalImage = {
  name: undefined,
  tag: undefined,
  repository: undefined,
  reference: undefined,
  root: { mediaType: 'm', digest: DIGEST, size: 1 },
  pulled: undefined,
};

function accepts(
  filters: readonly string[],
  created: string | undefined,
  others: Readonly<Record<string, string>> = {},
): boolean {
  const summary: ImageSummary = {
    id: DIGEST,
    created,
    size: 1,
    platform: undefined,
    platforms: [],
    labels: {},
    artifactType: undefined,
    problem: undefined,
  };
  const filter = parseImageFilter(undefined, filters, NOW);
  expect(filter.others).toEqual(Object.keys(others));
  return filter.accepting(
    new Map(Object.entries(others).map(([name, time]) => [name, timeOf(time)])),
  )(IMAGE, summary);
}

describe('parseImageFilter()', () => {
  test.each([
    ['until=24h', '2026-01-09T11:59:59Z', true],
    ['until=24h', '2026-01-09T12:00:01Z', false],
    ['until=1h30m', '2026-01-10T10:29:59Z', true],
    ['until=1h30m', '2026-01-10T10:30:01Z', false],
    ['until=2026-01-05', '2026-01-04T00:00:00Z', true],
    ['until=2026-01-05T06:00:00Z', '2026-01-05T07:00:00Z', false],
    ['until=1767225600', '2025-12-31T23:59:59Z', true],
    ['until=1767225600', '2026-01-01T00:00:01Z', false],
    ['until=24h', undefined, false],
  ])('%s of an image of %s is %s', (filter, created, expected) => {
    expect(accepts([filter], created)).toBe(expected);
  });

  test('before and since compare with the image that is named, and leave that out', () => {
    const others = { app: '2026-01-05T00:00:00Z' };
    expect(accepts(['before=app'], '2026-01-04T00:00:00Z', others)).toBe(true);
    expect(accepts(['before=app'], '2026-01-05T00:00:00Z', others)).toBe(false);
    expect(accepts(['since=app'], '2026-01-06T00:00:00Z', others)).toBe(true);
    expect(accepts(['since=app'], '2026-01-05T00:00:00Z', others)).toBe(false);
  });

  test('an image without a creation time is neither before nor since', () => {
    const others = { app: '2026-01-05T00:00:00Z' };
    for (const side of ['before', 'since'])
      expect(accepts([`${side}=app`], undefined, others)).toBe(false);
  });

  test.each([
    'until=',
    'until=tomorrow',
    'until=24',
    'until=2026-99-99',
    'before=',
    'since',
    'created=1',
  ])('%s is refused, or a time', (filter) => {
    if (filter === 'until=24') expect(accepts([filter], '2026-01-01T00:00:00Z')).toBe(false);
    else
      expect(() => parseImageFilter(undefined, [filter], NOW)).toThrow(
        /^Cannot (?:filter by|use) "/,
      );
  });
});
