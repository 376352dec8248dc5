import { HeaderReader } from '../http/header-reader.ts';
import { quote } from '../quote.ts';
import { printable } from '../redact.ts';

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
  const reader = new HeaderReader(header ?? '');
  for (;;) {
    reader.read(SEPARATORS);
    const word = reader.read(TOKEN).toLowerCase();
    const current = challenges.at(-1);
    if (word === '') return challenges;
    if (current !== undefined && reader.read(EQUALS) !== '') {
      const value = reader.readValue(BARE_VALUE);
      if (value === undefined) return challenges;
      current.params.set(word, value);
      if (!reader.isAt(BOUNDARY)) return challenges;
      continue;
    }
    if (!reader.isAt(BOUNDARY)) return challenges;
    reader.read(SPACES);
    const token68 = reader.read(TOKEN68);
    challenges.push({ scheme: word, params: new Map(), ...(token68 !== '' && { token68 }) });
  }
}

const SPACES = /[ \t]*/y;
const SEPARATORS = /[ \t,]*/y;
const BOUNDARY = /[ \t,]|$/y;
const TOKEN = /[A-Za-z0-9!#$%&'*+.^_`|~-]+/y;
const EQUALS = /[ \t]*=[ \t]*/y;
/** Wider than a token: some servers send URLs without quotes. */
const BARE_VALUE = /[^ \t,]*/y;
/** A token68 is alone in its list element; `realm=x` is not. */
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;

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

/**
 * Describes the challenges of a `WWW-Authenticate` header of which regi supports none; undefined
 * where it supports one, and without a challenge.
 */
export function describeUnusable(header: string | undefined): string | undefined {
  const challenges = parseChallenges(header);
  if (challenges.length === 0 || selectChallenge(challenges) !== undefined) return undefined;
  return printable(challenges.map(described).join(', '), 200);
}

function described({ scheme, params }: Challenge): string {
  const realm = params.get('realm');
  if (scheme !== 'bearer') return scheme;
  return realm === undefined ? 'bearer without a realm' : `bearer with the realm ${quote(realm)}`;
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

/**
 * Formats the value of a Basic `Authorization` header, in UTF-8.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7617
 */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
