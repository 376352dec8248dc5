import { isJsonObject, tryParseJson, type JsonObject } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { printable } from '../redact.ts';

/** One entry of a registry's error response. All texts are the registry's own, made printable. */
export interface Problem {
  /**
   * Such as `MANIFEST_UNKNOWN`; undefined where the server sends none (Artifactory, HTML, text).
   */
  readonly code: string | undefined;
  readonly message: string;
}

/**
 * Reads the body of an error response in any form: `{"errors":[…]}` with or without codes
 * (Artifactory), `{"message"}`, `{"details"}` and `{"detail"}` (Docker Hub), `{"error"}`, an HTML
 * page of a proxy, or text. Never throws. JSON is recognised by its content, because Content-Type
 * is often wrong.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export function parseProblems(body: string): readonly Problem[] {
  const text = body.trim();
  if (text === '') return [];
  const json = tryParseJson(text);
  if (isJsonObject(json)) return problemsOf(json);
  if (text.startsWith('<'))
    return [problem(undefined, titleOf(text))].filter(({ message }) => message !== '');
  return [problem(undefined, text.split('\n', 1)[0] ?? '')];
}

/** Formats problems as one phrase: `MANIFEST_UNKNOWN "manifest unknown"`; empty without any. */
export function describeProblems(problems: readonly Problem[]): string {
  const shown = problems
    .slice(0, 3)
    .map(({ code, message }) =>
      [code, message === '' ? undefined : JSON.stringify(message)].filter(Boolean).join(' '),
    );
  const more = problems.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

function problemsOf(json: JsonObject): readonly Problem[] {
  const list = json['errors'];
  if (Array.isArray(list))
    return list.slice(0, LIMITS.problems).filter(isJsonObject).map(problemOf);
  const one = problemOf(isJsonObject(json['error']) ? json['error'] : json);
  return one.code === undefined && one.message === '' ? [] : [one];
}

function problemOf(entry: JsonObject): Problem {
  const message = ['message', 'details', 'detail', 'error_description', 'error']
    .map((name) => entry[name])
    .find((value) => typeof value === 'string' && value !== '');
  const code = entry['code'];
  const known = typeof code === 'string' && code !== '' ? code : undefined;
  const texts = [typeof message === 'string' ? message : '', detailOf(entry, known)];
  return problem(known, [...new Set(texts)].filter((text) => text !== '').join(': '));
}

/** Errors whose detail only repeats what was requested. */
const REPEATING: ReadonlySet<string | undefined> = new Set([
  'BLOB_UNKNOWN',
  'MANIFEST_UNKNOWN',
  'NAME_UNKNOWN',
  'UNAUTHORIZED',
]);

/** Returns the detail of an entry as text: registries put the reason there, in any form of JSON. */
function detailOf({ detail }: JsonObject, code: string | undefined): string {
  if (REPEATING.has(code) || detail === undefined || detail === null) return '';
  if (typeof detail === 'string') return detail;
  const text = JSON.stringify(detail);
  return text === '{}' || text === '[]' ? '' : text;
}

function problem(code: string | undefined, message: string): Problem {
  return { code: code === undefined ? undefined : shorten(code), message: shorten(message) };
}

function titleOf(html: string): string {
  // Titles are at the top; a longer search would let a page of unclosed tags cost quadratic time.
  const top = html.slice(0, 4096);
  const [, title = ''] = /<title[^>]*>([^<]*)/i.exec(top) ?? /<h1[^>]*>([^<]*)/i.exec(top) ?? [];
  return title.replace(/\s+/g, ' ');
}

function shorten(text: string): string {
  const line = printable(text.trim());
  return line.length > LIMITS.problemLength ? `${line.slice(0, LIMITS.problemLength)}…` : line;
}
