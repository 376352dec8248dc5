import { createContext, Script } from 'node:vm';

import picomatch from 'picomatch';
import Range from 'semver/classes/range.js';
import SemVer from 'semver/classes/semver.js';

import { UsageError } from '../../errors.ts';
import { quote } from '../../quote.ts';
import { isTag } from '../../oci/reference.ts';

/** One pattern for tags: which it takes, or, with `excludes`, which it takes away. */
export interface TagPattern {
  readonly text: string;
  readonly excludes: boolean;
  /** @throws {InvalidTagPatternError} when a glob or regex cannot be matched in time. */
  readonly matches: (tag: string) => boolean;
}

/** A pattern for tags that does not parse, or that takes for ever. */
export class InvalidTagPatternError extends UsageError {
  constructor(text: string, problem: string, cause?: unknown) {
    super(`Cannot use tag pattern ${quote(text)}: ${problem}`, {
      hint: "write a tag, a glob such as '1.*', a regular expression such as '/^v\\d+$/', or versions such as '>=1.2 <2'; \"!\" before it excludes",
      ...(cause !== undefined && { cause }),
    });
  }
}

const PATTERN_LENGTH = 512;
/** For one tag, which has at most 128 characters: honest patterns take microseconds, and more only where a busy machine halts the process. */
const MATCH_TIMEOUT_MS = 1000;

const REGEX = /^\/(.*)\/(i?)$/s;
const GLOB = /[*?[\]{}()\\]/;
/** None of these can stand in a tag. */
const RANGE = /^[\^~<>=]|\s|\|\|/;
const X_RANGE = /^v?\d+(?:\.\d+)?(?:\.[xX]){1,2}$/;
/** As much of a version as tags have: `12`, `v1.2`, `1.2.3-alpine`, `22.04`. */
const VERSION_TAG = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z.-]+)?$/;

/**
 * Makes one test of several patterns: a tag passes if one of them takes it, or all of them only exclude, and none excludes it.
 * Without patterns every tag passes.
 *
 * @throws {InvalidTagPatternError} when a pattern does not parse; its test also when one takes too long.
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
 * Parses a pattern for tags. A leading "!" excludes. Behind it stands, in this order:
 *
 * - `/regex/` or `/regex/i`: found anywhere in the tag, unless it is anchored;
 * - versions, if it begins with one of `^ ~ < > =`, or has a blank or `||`, or is an x-range: `>=1.2 <2`, `^1.2`, `1.x`;
 * - a glob, if it has one of `* ? [ ] { } ( ) \`: `1.*`, `v[0-9]*`, `{stable,edge}`;
 * - else a tag: `1.2` is that tag and no version.
 *
 * Tags are read as versions with missing numbers as 0 and a leading "v" dropped (`v12` is 12.0.0); others never match. A suffix
 * makes a pre-release as semver says: `1.2.3-alpine` matches `>=1.2.3-0` and not `>=1.2`. A tag that is spelled as the x-range matches it too.
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
      throw new InvalidTagPatternError(text, 'expected a regular expression of JavaScript', cause);
    throw cause;
  }
}

function globMatcher(pattern: string, text: string): TagPattern['matches'] {
  try {
    // Parentheses and "!" stay themselves: alternatives are {a,b}, and "!" excludes.
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
      throw new InvalidTagPatternError(text, 'expected a range of versions', cause);
    throw cause;
  }
  return (tag) => {
    const version = versionOf(tag);
    return version !== undefined && range.test(version);
  };
}

/** The version that a tag is read as; undefined where it is none: words, and numbers too large to compare. */
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
    // What is no tag matches nothing; this also bounds the length that is matched.
    if (!isTag(tag)) return false;
    try {
      return matches(tag);
    } catch (cause) {
      throw new InvalidTagPatternError(
        text,
        `expected an answer within ${MATCH_TIMEOUT_MS} ms, found none for tag ${quote(tag)}`,
        cause,
      );
    }
  };
}

/**
 * Tests texts with a regular expression whose author may have written one that backtracks for ever, such as `(a+)+$`.
 * JavaScript has no other way to stop one than to stop the script around it; this costs about 0.1 ms a text.
 *
 * @returns a test that throws when it takes longer than `timeoutMs`, or when the expression is too large to be compiled.
 */
export function matchInTime(regex: RegExp, timeoutMs: number): (text: string) => boolean {
  const script = new Script('regex.test(text)');
  const context = createContext({ regex, text: '' });
  return (text) => {
    context['text'] = text;
    return script.runInContext(context, { timeout: timeoutMs }) === true;
  };
}
