import picomatch from 'picomatch';

import { familiarReference, formatReference } from '../oci/reference.ts';
import type { ImageSummary } from '../operations/summarize-image.ts';
import type { LocalImage } from '../stores/local-store.ts';
import { UsageError } from '../usage-error.ts';

export type AcceptsImage = (image: LocalImage, summary: ImageSummary) => boolean;

/** A pattern is typed by a person; a long one only costs time. */
const PATTERN_LENGTH = 512;

/**
 * Makes a filter of the name and the `--filter` values of a command line: images must fit all kinds, and of `reference` any.
 *
 * @throws {UsageError} on a filter that is none.
 */
export function parseImageFilter(name: string | undefined, filters: readonly string[]): AcceptsImage {
  const patterns = name === undefined ? [] : [name];
  const checks: AcceptsImage[] = [];
  for (const filter of filters) {
    const at = filter.indexOf('=');
    const [key, wanted] = at < 0 ? [filter, ''] : [filter.slice(0, at), filter.slice(at + 1)];
    if (key === 'reference') patterns.push(wanted);
    else if (key === 'dangling' && DANGLING.has(wanted)) checks.push((image) => (image.name === undefined) === DANGLING.get(wanted));
    else if (key === 'label' && wanted !== '') checks.push((_, { labels }) => hasLabel(labels, wanted));
    else {
      throw new UsageError(`Cannot filter by ${JSON.stringify(filter)}: expected reference=PATTERN, dangling=true, dangling=false or label=KEY[=VALUE]`, {
        hint: 'write it as docker does: --filter reference="*/app:1.*"',
      });
    }
  }
  if (patterns.length > 0) {
    const matchers = patterns.map(matcherOf);
    checks.push((image) => matchers.some((matches) => matches(image)));
  }
  return (image, summary) => checks.every((check) => check(image, summary));
}

const DANGLING: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const at = wanted.indexOf('=');
  if (at < 0) return Object.hasOwn(labels, wanted);
  const key = wanted.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === wanted.slice(at + 1);
}

/** As docker: the pattern may mean the repository alone, or the repository with its tag, in short or in full. */
function matcherOf(pattern: string): (image: LocalImage) => boolean {
  if (pattern.length > PATTERN_LENGTH) throw new UsageError(`Cannot use a pattern of ${pattern.length} characters: expected at most ${PATTERN_LENGTH}`);
  const matches = picomatch(pattern, { dot: true, nonegate: true, noextglob: true, noglobstar: true, windows: false });
  return ({ reference }) => {
    if (reference === undefined) return false;
    const { domain, path } = reference;
    const bare = { domain, path };
    return [familiarReference(reference), formatReference(reference), familiarReference(bare), formatReference(bare)].some((text) => matches(text));
  };
}
