import type * as z from 'zod/mini';

import { quote } from './quote.ts';

/**
 * Parses JSON text or UTF-8 bytes; undefined when they are not JSON. The parser's own error is
 * dropped, because it quotes the input, which may hold a secret.
 */
export function tryParseJson(input: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof input === 'string' ? input : UTF_8.decode(input));
  } catch (error) {
    // TypeError: bytes that are not UTF-8.
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** A JSON object, its members not looked at yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** True for a JSON object; false for a list and null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Finds a member whose name is one of `names` but for its case, as `Layers` is. Readers in Go take
 * it for that name, and would see another document than regi.
 */
export function memberInOtherCase(
  body: JsonObject,
  names: ReadonlySet<string>,
): string | undefined {
  return Object.keys(body).find((name) => !names.has(name) && names.has(folded(name, names)));
}

/**
 * Gives members whose names are one of `names` but for their case that name, as Go reads them. The
 * last of several wins. Any other value is returned as it is.
 */
export function withFoldedNames(value: unknown, names: ReadonlySet<string>): unknown {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [folded(name, names), member]),
  );
}

/** The name under which an object has the member `name`, whatever its case. */
export function writtenName(body: JsonObject, name: string): string {
  const names = new Set([name]);
  return Object.keys(body).findLast((written) => folded(written, names) === name) ?? name;
}

/** Two steps, because Go folds the long s and the Kelvin sign too. */
function folded(name: string, names: ReadonlySet<string>): string {
  const lower = name.toUpperCase().toLowerCase();
  return [...names].find((known) => known.toLowerCase() === lower) ?? name;
}

/** Two different texts must not decode to one: a replaced byte could make two JSON names equal. */
const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** Drops members whose value is undefined, so that two values with the same facts are equal. */
export function defined<T extends object>(members: T): T {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as T;
}

/** Describes the first problem of a failed parse, such as `expected string at "digest"`. */
export function describeIssue(error: z.core.$ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'unexpected shape';
  const path = issue.path.join('.');
  const keys =
    issue.code === 'unrecognized_keys'
      ? `unknown key ${issue.keys.map((key) => quote(key)).join(', ')}`
      : 'unexpected value';
  const wanted = 'expected' in issue ? `expected ${String(issue.expected)}` : keys;
  return path === '' ? wanted : `${wanted} at ${quote(path)}`;
}
