import { createContext, Script } from 'node:vm';

import picomatch from 'picomatch';
import Range from 'semver/classes/range.js';
import SemVer from 'semver/classes/semver.js';

import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { isTag } from '../../oci/reference.ts';

/** One pattern for tags: selects tags, or with `excludes` removes them. */
export interface TagPattern {
  readonly text: string;
  readonly excludes: boolean;
  /** @throws {InvalidTagPatternError} when a glob or regex cannot be matched in time. */
  readonly matches: (tag: string) => boolean;
}

/** A pattern for tags that does not parse or takes too long. */
export class InvalidTagPatternError extends UsageError {
  constructor(text: string, problem: string, cause?: unknown) {
    super(`Cannot use tag pattern ${quote(text)}: ${problem}`, {
      hint: "write a tag, a glob such as '1.*', a regular expression such as '/^v\\d+$/', or versions such as '>=1.2 <2'; \"!\" before it excludes",
      ...(cause !== undefined && { cause }),
    });
  }
}

const PATTERN_LENGTH = 512;
/**
 * Time for one tag of at most 128 characters. Honest patterns take microseconds, and more only on a
 * busy machine.
 */
const MATCH_TIMEOUT_MS = 1000;

const REGEX = /^\/(.*)\/(i?)$/s;
const GLOB = /[*?[\]{}()\\]/;
/** Characters that no tag contains. */
const RANGE = /^[\^~<>=]|\s|\|\|/;
const X_RANGE = /^v?\d+(?:\.\d+)?(?:\.[xX]){1,2}$/;
/** A version, or a part of one, as tags have it: `12`, `v1.2`, `1.2.3-alpine`, `22.04`. */
const VERSION_TAG = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z.-]+)?$/;

/**
 * Makes one filter of several patterns. A tag passes if any pattern selects it (or all of them
 * exclude) and none excludes it. Without patterns every tag passes.
 *
 * @throws {InvalidTagPatternError} when a pattern does not parse; the filter also when one takes
 *   too long.
 */
export function tagFilter(patterns: readonly string[]): (tag: string) => boolean {
  const parsed = patterns.map(parseTagPattern);
  const wanted = parsed.filter((pattern) => !pattern.excludes);
  const unwanted = parsed.filter((pattern) => pattern.excludes);
  return (tag) =>
    (wanted.length === 0 || wanted.some((pattern) => pattern.matches(tag))) &&
    !unwanted.some((pattern) => pattern.matches(tag));
}

/**
 * Parses a pattern for tags. A leading "!" excludes. The rest is read as the first of these that
 * fits:
 *
 * - `/regex/` or `/regex/i`: matches anywhere in the tag, unless it is anchored;
 * - versions, if it begins with one of `^ ~ < > =`, or contains a space or `||`, or is an x-range:
 * `>=1.2 <2`, `^1.2`, `1.x`;
 * - a glob, if it contains one of `* ? [ ] { } ( ) \`: `1.*`, `v[0-9]*`, `{stable,edge}`;
 * - otherwise a tag: `1.2` is that tag and no version.
 *
 * Tags are read as versions with missing numbers as 0 and without a leading "v" (`v12` is 12.0.0);
 * other tags never match. A suffix makes a pre-release, as in semver: `1.2.3-alpine` matches
 * `>=1.2.3-0` and not `>=1.2`. A tag spelled like the x-range matches it too.
 *
 * @throws {InvalidTagPatternError}
 */
export function parseTagPattern(text: string): TagPattern {
  if (text.length > PATTERN_LENGTH)
    throw new InvalidTagPatternError(
      text,
      `expected at most ${PATTERN_LENGTH} characters, found ${text.length}`,
    );
  const excludes = text.startsWith('!');
  const pattern = excludes ? text.slice(1) : text;
  return { text, excludes, matches: parseMatcher(pattern, text) };
}

function parseMatcher(pattern: string, text: string): TagPattern['matches'] {
  if (pattern === '') throw new InvalidTagPatternError(text, 'expected a pattern, found nothing');
  if (pattern.startsWith('/')) return regexMatcher(pattern, text);
  if (RANGE.test(pattern)) return rangeMatcher(pattern, text);
  if (X_RANGE.test(pattern)) {
    const matches = rangeMatcher(pattern, text);
    return (tag) => tag === pattern || matches(tag);
  }
  if (GLOB.test(pattern)) return globMatcher(pattern, text);
  if (!isTag(pattern))
    throw new InvalidTagPatternError(
      text,
      `expected a tag, a glob, a regular expression or versions, found ${quote(pattern)}`,
    );
  return (tag) => tag === pattern;
}

function regexMatcher(pattern: string, text: string): TagPattern['matches'] {
  const [, source, flags] = REGEX.exec(pattern) ?? [];
  if (source === undefined || source === '')
    throw new InvalidTagPatternError(text, 'expected a regular expression between two "/"');
  try {
    return timed(new RegExp(source, flags), text);
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new InvalidTagPatternError(text, 'expected a JavaScript regular expression', cause);
    throw cause;
  }
}

function globMatcher(pattern: string, text: string): TagPattern['matches'] {
  try {
    // Parentheses and "!" are literal: alternatives are {a,b}, and "!" excludes.
    return timed(
      picomatch.makeRe(pattern, {
        dot: true,
        nonegate: true,
        noextglob: true,
        strictBrackets: true,
        windows: false,
      }),
      text,
    );
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new InvalidTagPatternError(text, 'expected a glob with matching brackets', cause);
    throw cause;
  }
}

function rangeMatcher(pattern: string, text: string): TagPattern['matches'] {
  let range: Range;
  try {
    range = new Range(pattern, { loose: true });
  } catch (cause) {
    if (cause instanceof TypeError)
      throw new InvalidTagPatternError(text, 'expected a version range', cause);
    throw cause;
  }
  return (tag) => {
    const version = versionOf(tag);
    return version !== undefined && range.test(version);
  };
}

/** Parses a tag as a version; undefined for words, and for numbers too large to compare. */
export function versionOf(tag: string): SemVer | undefined {
  const found = isTag(tag) ? VERSION_TAG.exec(tag) : null;
  if (found === null) return undefined;
  const [, major, minor = '0', patch = '0', suffix = ''] = found;
  const numbers = [major, minor, patch].map(Number);
  if (!numbers.every(Number.isSafeInteger)) return undefined;
  try {
    return new SemVer(`${numbers.join('.')}${suffix}`, { loose: true });
  } catch (cause) {
    if (cause instanceof TypeError) return undefined;
    throw cause;
  }
}

function timed(regex: RegExp, text: string): TagPattern['matches'] {
  const matches = matchInTime(regex, MATCH_TIMEOUT_MS);
  return (tag) => {
    // Text that is no tag matches nothing; this also bounds the length of the input.
    if (!isTag(tag)) return false;
    try {
      return matches(tag);
    } catch (cause) {
      throw new InvalidTagPatternError(
        text,
        `expected a match within ${MATCH_TIMEOUT_MS} ms, but tag ${quote(tag)} took longer`,
        cause,
      );
    }
  };
}

/**
 * Tests texts with a regular expression that may backtrack forever, such as `(a+)+$`. JavaScript
 * can stop one only by stopping the script around it; this costs about 0.1 ms per text.
 *
 * @returns a test that throws if it takes longer than `timeoutMs`, or if the expression is too
 *   large to compile.
 */
export function matchInTime(regex: RegExp, timeoutMs: number): (text: string) => boolean {
  const script = new Script('regex.test(text)');
  const context = createContext({ regex, text: '' });
  return (text) => {
    context['text'] = text;
    return script.runInContext(context, { timeout: timeoutMs }) === true;
  };
}
