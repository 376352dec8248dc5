import { LIMITS } from '../limits.ts';
import { printable } from '../redact.ts';

/** One entry of a registry's error answer. All texts are the registry's own, made printable. */
export interface Problem {
  /** Such as `MANIFEST_UNKNOWN`; undefined where the server gives none (Artifactory, HTML, text). */
  readonly code: string | undefined;
  readonly message: string;
}

/**
 * Reads the body of an error answer, whatever its form: `{"errors":[…]}` with codes or without (Artifactory), `{"message"}`,
 * `{"details"}` and `{"detail"}` (Docker Hub), `{"error"}`, an HTML page of some proxy, or text. Never throws. JSON is known
 * by its content, because Content-Type is often wrong.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
 */
export function parseProblems(body: string): readonly Problem[] {
  const text = body.trim();
  if (text === '') return [];
  const json = parseJson(text);
  if (json !== undefined) return problemsOf(json);
  if (text.startsWith('<'))
    return [problem(undefined, titleOf(text))].filter(({ message }) => message !== '');
  return [problem(undefined, text.split('\n', 1)[0] ?? '')];
}

/** The problems as one phrase: `MANIFEST_UNKNOWN "manifest unknown"`; empty when there are none. */
export function describeProblems(problems: readonly Problem[]): string {
  const shown = problems
    .slice(0, 3)
    .map(({ code, message }) =>
      [code, message === '' ? undefined : JSON.stringify(message)].filter(Boolean).join(' '),
    );
  const more = problems.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

function problemsOf(json: Readonly<Record<string, unknown>>): readonly Problem[] {
  const list = json['errors'];
  if (Array.isArray(list)) return list.slice(0, LIMITS.problems).filter(isObject).map(problemOf);
  const one = problemOf(isObject(json['error']) ? json['error'] : json);
  return one.code === undefined && one.message === '' ? [] : [one];
}

function problemOf(entry: Readonly<Record<string, unknown>>): Problem {
  const message = ['message', 'details', 'detail', 'error_description', 'error']
    .map((name) => entry[name])
    .find((value) => typeof value === 'string' && value !== '');
  const code = entry['code'];
  return problem(
    typeof code === 'string' && code !== '' ? code : undefined,
    typeof message === 'string' ? message : '',
  );
}

function problem(code: string | undefined, message: string): Problem {
  return { code: code === undefined ? undefined : shorten(code), message: shorten(message) };
}

function titleOf(html: string): string {
  // A title stands at the top; looking further would let a page of unclosed tags cost quadratic time.
  const top = html.slice(0, 4096);
  const [, title = ''] = /<title[^>]*>([^<]*)/i.exec(top) ?? /<h1[^>]*>([^<]*)/i.exec(top) ?? [];
  return title.replace(/\s+/g, ' ');
}

function shorten(text: string): string {
  const line = printable(text.trim());
  return line.length > LIMITS.problemLength ? `${line.slice(0, LIMITS.problemLength)}…` : line;
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
