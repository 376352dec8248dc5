import { parseTagPattern } from '../../operations/tags/select-tags.ts';
import { RegiError } from '../../errors.ts';

/** A pattern of a tool that is written in Go, as a pattern of tags here. */
export type Converted = { readonly pattern: string } | { readonly problem: string };

const CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  word: String.raw`\w`,
  xdigit: '0-9A-Fa-f',
};

/**
 * Converts a regular expression of Go.
 *
 * @see https://github.com/google/re2/wiki/Syntax
 */
export function fromGoRegex(text: string): Converted {
  let source = text;
  let flags = '';
  // regsync adds its anchors before the flags.
  const given = /^(\^?)\(\?([a-zA-Z]+)\)/.exec(source);
  if (given !== null) {
    const [all, anchor = '', letters = ''] = given;
    if (/[^is]/.test(letters)) return { problem: `flags (?${letters}) in ${text}` };
    if (letters.includes('i')) flags = 'i';
    source = anchor + source.slice(all.length);
  }
  source = source
    .replaceAll('(?P<', '(?<')
    .replace(/^\\A/, '^')
    .replace(/\\z$/, '$')
    .replaceAll(/\[:(\w+):\]/g, (whole, name: string) => CLASSES[name] ?? whole);
  const odd = /\(\?[imsU-]+[:)]|\\[pPQECxX]|\[:\^?\w+:\]|\\[Az]/.exec(source)?.[0];
  if (odd !== undefined) return { problem: `${odd} in the regular expression ${text}` };
  return checked(`/${source}/${flags}`, text);
}

/**
 * Converts version constraints of Masterminds/semver, where a comma means "and".
 *
 * @see https://github.com/Masterminds/semver#checking-version-constraints
 */
export function fromMasterminds(text: string): Converted {
  const alternatives = text.split('||').map((part) =>
    part
      .replaceAll(',', ' ')
      .replaceAll('=>', '>=')
      .replaceAll('=<', '<=')
      .replaceAll('~>', '~')
      .replaceAll(/([<>=~^])\s+/g, '$1')
      .trim()
      .replaceAll(/\s+/g, ' '),
  );
  if (alternatives.some((part) => part.includes('!=')))
    return { problem: `"!=" in the versions ${text}` };
  const joined = alternatives.join(' || ');
  if (joined === '*') return { pattern: '>=0.0.0' };
  return checked(/^[\^~<>=]|\s/.test(joined) ? joined : `=${joined}`, text);
}

function checked(pattern: string, text: string): Converted {
  try {
    parseTagPattern(pattern);
    return { pattern };
  } catch (error) {
    if (error instanceof RegiError) return { problem: `${text} is no pattern here` };
    throw error;
  }
}
