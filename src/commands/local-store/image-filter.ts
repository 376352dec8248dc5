import picomatch from 'picomatch';

import { UsageError } from '../../errors.ts';
import { familiarReference, formatReference } from '../../oci/reference.ts';
import type { ImageSummary } from '../../operations/inspect/summarize-image.ts';
import { quote } from '../../quote.ts';
import type { LocalImage } from '../../targets/local.ts';

export type AcceptsImage = (image: LocalImage, summary: ImageSummary) => boolean;

export interface ImageFilter {
  /** Images whose creation time filters compare with, as typed. */
  readonly others: readonly string[];
  /**
   * @param createdAt creation times of the images of `others`, in ms; undefined where an image has
   *   none.
   */
  readonly accepting: (createdAt: ReadonlyMap<string, number | undefined>) => AcceptsImage;
}

type Times = Parameters<ImageFilter['accepting']>[0];
type Check = (image: LocalImage, summary: ImageSummary, times: Times) => boolean;

/** People type shorter patterns; a long one only costs time. */
const PATTERN_LENGTH = 512;

const KINDS =
  'reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=TIME, dangling=true or dangling=false';

/**
 * Combines the name and the `--filter` values of a command line: an image must match each kind of
 * filter, and any one `reference` pattern.
 *
 * @param now milliseconds; ages count back from it.
 * @throws {UsageError} on an unknown filter.
 */
export function parseImageFilter(
  name: string | undefined,
  filters: readonly string[],
  now: number,
): ImageFilter {
  const patterns = name === undefined ? [] : [name];
  const checks: Check[] = [];
  const others: string[] = [];
  for (const filter of filters) {
    const at = filter.indexOf('=');
    const [key, wanted] = at < 0 ? [filter, ''] : [filter.slice(0, at), filter.slice(at + 1)];
    if (key === 'reference') patterns.push(wanted);
    else if (key === 'dangling' && DANGLING.has(wanted))
      checks.push((image) => (image.name === undefined) === DANGLING.get(wanted));
    else if (key === 'label' && wanted !== '')
      checks.push((_, { labels }) => hasLabel(labels, wanted));
    else if ((key === 'before' || key === 'since') && wanted !== '') {
      others.push(wanted);
      checks.push((_, { created }, times) => isOnSide(key, timeOf(created), times.get(wanted)));
    } else if (key === 'until' && wanted !== '') {
      const until = parseUntil(wanted, now);
      checks.push((_, { created }) => isOnSide('before', timeOf(created), until));
    } else {
      throw new UsageError(`Cannot filter by ${quote(filter)}: expected ${KINDS}`, {
        hint: 'write it as docker does: --filter reference="*/app:1.*"',
      });
    }
  }
  if (patterns.length > 0) {
    const matchers = patterns.map(matcherOf);
    checks.push((image) => matchers.some((matches) => matches(image)));
  }
  return {
    others,
    accepting: (times) => (image, summary) => checks.every((check) => check(image, summary, times)),
  };
}

/** Parses a creation time into ms; undefined when there is none. */
export function timeOf(created: string | undefined): number | undefined {
  const time = Date.parse(created ?? '');
  return Number.isNaN(time) ? undefined : time;
}

/** False for an image without a creation time. */
function isOnSide(
  side: 'before' | 'since',
  time: number | undefined,
  other: number | undefined,
): boolean {
  if (time === undefined || other === undefined) return false;
  return side === 'before' ? time < other : time > other;
}

const DANGLING: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);
/** Matches durations of Go: `24h`, `1h30m`. */
const DURATION = /^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[smh]))+$/;

/** Parses an age, a date with or without a time, or seconds of Unix time, into ms. */
function parseUntil(text: string, now: number): number {
  if (DURATION.test(text)) {
    const parts = [...text.matchAll(/([\d.]+)(ms|[smh])/g)];
    return (
      now -
      parts.reduce(
        (sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS.get(unit ?? '') ?? 0),
        0,
      )
    );
  }
  if (/^\d{1,12}(?:\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  const time = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/.test(text)
    ? timeOf(text)
    : undefined;
  if (time !== undefined) return time;
  throw new UsageError(
    `Cannot use ${quote(text)} for "until": expected an age such as 24h, or a date`,
    { hint: 'write --filter until=24h, or until=2026-01-31T12:00:00Z' },
  );
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1);
}

/** Matches as docker does: the repository with or without its tag, in short or in full. */
function matcherOf(pattern: string): (image: LocalImage) => boolean {
  if (pattern.length > PATTERN_LENGTH)
    throw new UsageError(
      `Cannot use a pattern of ${pattern.length} characters: expected at most ${PATTERN_LENGTH}`,
    );
  const matches = picomatch(pattern, {
    dot: true,
    nonegate: true,
    noextglob: true,
    noglobstar: true,
    windows: false,
  });
  return ({ reference }) => {
    if (reference === undefined) return false;
    const { domain, path } = reference;
    const bare = { domain, path };
    return [
      familiarReference(reference),
      formatReference(reference),
      familiarReference(bare),
      formatReference(bare),
    ].some((text) => matches(text));
  };
}
