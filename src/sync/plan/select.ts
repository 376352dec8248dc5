import { isDigestTag } from '../../oci/digest.ts';
import {
  parseTagPattern,
  tagFilter,
  versionOf,
  type TagPattern,
} from '../../operations/tags/select-tags.ts';
import { sortTags, type TagOrder } from '../../operations/tags/sort-tags.ts';
import { isTag } from '../../oci/reference.ts';

/** Which tags of a repository an entry wants. Order means nothing in any list. */
export interface TagSelection {
  readonly tags: readonly string[];
  readonly latest?: Latest | undefined;
  readonly min?: number | undefined;
}

export interface Latest {
  readonly count: number;
  readonly sort: TagOrder;
}

/** What one step did, for the plan. */
export interface SelectionStep {
  readonly step: 'digest tags' | 'latest' | 'patterns';
  readonly before: number;
  readonly after: number;
  /** The first tags that fell, in the order of the list. */
  readonly samples: readonly string[];
}

export interface Selected {
  readonly tags: readonly string[];
  readonly steps: readonly SelectionStep[];
  /** Plain names that the repository lacks: failures. */
  readonly missing: readonly string[];
  /** Patterns that took no tag: warnings. */
  readonly idle: readonly string[];
  /** Tags that only `latest` dropped: what `prune: { old: true }` may delete. */
  readonly old: readonly string[];
  /** Set when fewer than `min` were selected. */
  readonly tooFew?: { readonly found: number; readonly wanted: number } | undefined;
}

const SAMPLES = 5;

/**
 * The plain names among patterns: neither globs, regular expressions nor versions, and no excludes.
 */
export function plainNames(patterns: readonly string[]): readonly string[] {
  return patterns.filter((pattern) => !pattern.startsWith('!') && isPlain(pattern));
}

/** True if every pattern is a plain name, so that no list of tags is needed to select. */
export function areAllPlain({ tags, latest }: TagSelection): boolean {
  return tags.length > 0 && latest === undefined && plainNames(tags).length === tags.length;
}

/**
 * Selects tags of a complete list, in the order that the documentation of `regi sync` gives: digest
 * tags fall, patterns take, `latest` keeps the newest of what patterns took, plain names stay,
 * `min` counts. The result is sorted by name and does not depend on the order of `listed` or of
 * patterns.
 *
 * @param createdOf reads dates for `latest: { sort: created }`, each tag once.
 */
export async function selectTags(
  listed: readonly string[],
  { tags: patterns, latest, min }: TagSelection,
  createdOf: (tags: readonly string[]) => Promise<ReadonlyMap<string, string | undefined>>,
): Promise<Selected> {
  const all = [...new Set(listed)].toSorted();
  const images = all.filter((tag) => !isDigestTag(tag));
  const accepts = tagFilter(patterns);
  const plain = new Set(plainNames(patterns));
  const taken = images.filter((tag) => accepts(tag));
  const named = taken.filter((tag) => plain.has(tag));
  const matched = taken.filter((tag) => !plain.has(tag));
  const newest = latest === undefined ? matched : await newestOf(matched, latest, createdOf);
  const kept = new Set([...named, ...newest]);
  const tags = taken.filter((tag) => kept.has(tag));
  const present = new Set(all);
  return {
    tags,
    steps: [
      stepOf('digest tags', all, images),
      stepOf('patterns', images, taken),
      ...(latest === undefined ? [] : [stepOf('latest', taken, tags)]),
    ],
    missing: [...plain].filter((tag) => !present.has(tag)).toSorted(),
    idle: idlePatterns(patterns, images),
    old: matched.filter((tag) => !kept.has(tag)),
    ...(min !== undefined && tags.length < min && { tooFew: { found: tags.length, wanted: min } }),
  };
}

async function newestOf(
  tags: readonly string[],
  { count, sort }: Latest,
  createdOf: (tags: readonly string[]) => Promise<ReadonlyMap<string, string | undefined>>,
): Promise<readonly string[]> {
  if (sort === 'name') return tags.toSorted().toReversed().slice(0, count);
  if (sort === 'created') {
    const created = await createdOf(tags);
    const rows = tags.map((tag) => ({ tag, created: created.get(tag) }));
    return sortTags(rows, 'created')
      .slice(0, count)
      .map(({ tag }) => tag);
  }
  const versions = tags.filter((tag) => versionOf(tag) !== undefined).map((tag) => ({ tag }));
  return sortTags(versions, 'semver')
    .slice(0, count)
    .map(({ tag }) => tag);
}

function stepOf(
  step: SelectionStep['step'],
  before: readonly string[],
  after: readonly string[],
): SelectionStep {
  const kept = new Set(after);
  const fallen = before.filter((tag) => !kept.has(tag));
  return {
    step,
    before: before.length,
    after: after.length,
    samples: fallen.slice(0, SAMPLES),
  };
}

function idlePatterns(patterns: readonly string[], images: readonly string[]): readonly string[] {
  return patterns
    .filter((pattern) => !pattern.startsWith('!') && !isPlain(pattern))
    .map((pattern): TagPattern => parseTagPattern(pattern))
    .filter((pattern) => !images.some((tag) => pattern.matches(tag)))
    .map(({ text }) => text)
    .toSorted();
}

/**
 * As `parseTagPattern()` reads it: a tag without the marks of a glob, a regular expression or
 * versions.
 */
function isPlain(pattern: string): boolean {
  return isTag(pattern) && !/^v?\d+(?:\.\d+)?(?:\.[xX]){1,2}$/.test(pattern);
}
