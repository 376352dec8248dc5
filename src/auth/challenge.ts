import { readQuotedString, type QuotedString } from '../http/quoted-string.ts';

/** One challenge of a `WWW-Authenticate` header. Scheme and parameter names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly params: ReadonlyMap<string, string>;
  /** The token68 form, such as Negotiate's. */
  readonly token68?: string | undefined;
}

/** A challenge that regi supports. */
export type UsableChallenge =
  | {
      readonly kind: 'bearer';
      /** Absolute http or https URL without userinfo. Untrusted: see `checkRealm()`. */
      readonly realm: URL;
      readonly service: string | undefined;
      readonly scope: string | undefined;
      /** `invalid_token`, `insufficient_scope` (RFC 6750 §3.1), or the server's own. */
      readonly error: string | undefined;
    }
  | { readonly kind: 'basic' };

/**
 * Parses a `WWW-Authenticate` header, also several joined by ", ", as Node joins repeated lines.
 * Never throws: it keeps the complete challenges before a fault. The last one of a repeated
 * parameter counts. Linear in the header's length.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
 */
export function parseChallenges(header: string | undefined): readonly Challenge[] {
  const challenges: { scheme: string; params: Map<string, string>; token68?: string }[] = [];
  const text = header ?? '';
  let at = 0;
  for (;;) {
    at = skip(text, at, isSpaceOrComma);
    const word = take(text, at, isTokenCharacter);
    if (word === '') return challenges;
    at += word.length;
    const next = skip(text, at, isSpace);
    const current = challenges.at(-1);
    if (text[next] === '=' && current !== undefined) {
      const value = readValue(text, skip(text, next + 1, isSpace));
      if (value === undefined) return challenges;
      current.params.set(word.toLowerCase(), value.value);
      at = value.end;
      if (!isBoundary(text, at)) return challenges;
      continue;
    }
    if (!isBoundary(text, at)) return challenges;
    const token68 = readToken68(text, next);
    challenges.push({
      scheme: word.toLowerCase(),
      params: new Map(),
      ...(token68 !== undefined && { token68 }),
    });
    at = token68 === undefined ? next : next + token68.length;
  }
}

/**
 * Selects a challenge: Bearer with a usable realm, in any position, else Basic; undefined without
 * either.
 */
export function selectChallenge(challenges: readonly Challenge[]): UsableChallenge | undefined {
  for (const { scheme, params } of challenges) {
    const realm = scheme === 'bearer' ? parseRealm(params.get('realm')) : undefined;
    if (realm === undefined) continue;
    return {
      kind: 'bearer',
      realm,
      service: textOf(params.get('service')),
      scope: textOf(params.get('scope')),
      error: textOf(params.get('error')),
    };
  }
  return challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
}

function parseRealm(text: string | undefined): URL | undefined {
  if (text === undefined || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const realm = new URL(text);
  // Userinfo would be sent as a password chosen by the server, and be logged.
  realm.username = '';
  realm.password = '';
  realm.hash = '';
  return realm;
}

function textOf(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function readValue(text: string, start: number): QuotedString | undefined {
  if (text[start] === '"') return readQuotedString(text, start);
  // Wider than a token: some servers send URLs without quotes.
  const value = take(text, start, (character) => !isSpaceOrComma(character));
  return { value, end: start + value.length };
}

/** Reads a token68, which is alone in its list element; `realm=x` is not. */
function readToken68(text: string, start: number): string | undefined {
  const body = take(text, start, isToken68Character);
  if (body === '') return undefined;
  const padding = take(text, start + body.length, (character) => character === '=');
  const end = skip(text, start + body.length + padding.length, isSpace);
  return end === text.length || text[end] === ',' ? body + padding : undefined;
}

function take(text: string, start: number, belongs: (character: string) => boolean): string {
  return text.slice(start, skip(text, start, belongs));
}

function skip(text: string, start: number, belongs: (character: string) => boolean): number {
  let at = start;
  while (at < text.length && belongs(text.charAt(at))) at += 1;
  return at;
}

function isBoundary(text: string, at: number): boolean {
  return at >= text.length || isSpaceOrComma(text.charAt(at));
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\t';
}

function isSpaceOrComma(character: string): boolean {
  return isSpace(character) || character === ',';
}

function isTokenCharacter(character: string): boolean {
  return /[A-Za-z0-9!#$%&'*+.^_`|~-]/.test(character);
}

function isToken68Character(character: string): boolean {
  return /[A-Za-z0-9._~+/-]/.test(character);
}

/**
 * Formats the value of a Basic `Authorization` header, in UTF-8.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7617
 */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
