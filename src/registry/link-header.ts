import { readQuotedString } from '../http/quoted-string.ts';

export interface Link {
  /** The text between < and >, as sent. */
  readonly target: string;
  /** Relation types, lower case. */
  readonly relations: readonly string[];
}

export type NextPage =
  | { readonly kind: 'next'; readonly url: URL }
  | { readonly kind: 'end' }
  /** The listing cannot continue; `problem` says why. */
  | { readonly kind: 'broken'; readonly problem: string };

const WHITESPACE = /[ \t]*/y;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
/** Wider than a token: servers send other values without quotes. */
const BARE_VALUE = /[^\s;,"]*/y;

/**
 * Parses a `Link` header; undefined when it is malformed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8288#appendix-B.2
 */
export function parseLinkHeader(text: string): readonly Link[] | undefined {
  const links: Link[] = [];
  let index = skip(WHITESPACE, text, 0);
  while (index < text.length) {
    if (text[index] === ',') {
      index = skip(WHITESPACE, text, index + 1);
      continue;
    }
    const close = text[index] === '<' ? text.indexOf('>', index) : -1;
    if (close < 0) return undefined;
    const target = text.slice(index + 1, close);
    const parameters = readRelations(text, close + 1);
    if (parameters === undefined) return undefined;
    links.push({ target, relations: parameters.relations });
    index = parameters.end;
  }
  return links;
}

/**
 * Finds the next page: the current URL with the query of the link to it.
 *
 * Scheme, host and path stay, because every known server keeps the path. Broken ones lose a prefix
 * (Artifactory), name an internal host (Nexus) or plain http (behind a proxy). It also keeps
 * credentials at their origin.
 *
 * @param link the `Link` header, if any.
 */
export function nextPage(current: URL, link: string | undefined): NextPage {
  const links = parseLinkHeader(link ?? '');
  if (links === undefined) return { kind: 'broken', problem: 'its Link header is malformed' };
  const next = links.find(({ relations }) => relations.includes('next'));
  if (next === undefined) return { kind: 'end' };
  if (!URL.canParse(next.target, current.href))
    return { kind: 'broken', problem: 'its Link header names no URL' };
  const { search } = new URL(next.target, current);
  if (search === '')
    return { kind: 'broken', problem: 'its Link header leads back to the first page' };
  const url = new URL(current);
  url.search = search;
  if (url.href === current.href)
    return { kind: 'broken', problem: 'its Link header leads to the same page again' };
  return { kind: 'next', url };
}

function readRelations(
  text: string,
  start: number,
): { readonly relations: readonly string[]; readonly end: number } | undefined {
  let relations: readonly string[] | undefined;
  let index = skip(WHITESPACE, text, start);
  while (text[index] === ';') {
    const nameStart = skip(WHITESPACE, text, index + 1);
    const nameEnd = skip(TOKEN, text, nameStart);
    const name = text.slice(nameStart, nameEnd).toLowerCase();
    const afterName = skip(WHITESPACE, text, nameEnd);
    const value =
      text[afterName] === '='
        ? readValue(text, skip(WHITESPACE, text, afterName + 1))
        : { value: '', end: afterName };
    if (value === undefined) return undefined;
    // Further rel parameters are ignored (RFC 8288 §3.3).
    if (name === 'rel') relations ??= value.value.toLowerCase().split(/\s+/);
    index = skip(WHITESPACE, text, value.end);
  }
  if (index < text.length && text[index] !== ',') return undefined;
  return { relations: relations ?? [], end: index };
}

function readValue(
  text: string,
  start: number,
): { readonly value: string; readonly end: number } | undefined {
  if (text[start] === '"') return readQuotedString(text, start);
  const end = skip(BARE_VALUE, text, start);
  return { value: text.slice(start, end), end };
}

/** Returns the index after the match of a sticky pattern at `start`; `start` without a match. */
function skip(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : start;
}
