/**
 * Meaning of a part of a text. `cli/output/paint.ts` decides how each looks on a terminal:
 *
 * - `name`, `heading`: what a line is about, and what a group of lines is about.
 * - `detail`: digests, sizes, dates, branches of trees and hints.
 * - `good`, `bad`, `changed`: results, and the sides of a comparison.
 * - `error`: the line of an error.
 * - `busy`: the moving part of a wait.
 */
export type Role = 'name' | 'heading' | 'detail' | 'good' | 'bad' | 'changed' | 'error' | 'busy';

/** A part of a text with a meaning. */
export interface Span {
  readonly role: Role;
  readonly text: string;
}

/**
 * Text for people. It has no escape sequences: streams without colours get its characters alone.
 */
export type Styled = string | Span | readonly Styled[];

/** Gives a text its meaning. */
export function styled(role: Role, text: string): Span {
  return { role, text };
}

/** Returns the characters of a text. */
export function plainText(text: Styled): string {
  if (typeof text === 'string') return text;
  return 'role' in text ? text.text : text.map(plainText).join('');
}

/** Lists the parts of a text from left to right. */
export function partsOf(text: Styled): readonly (string | Span)[] {
  return typeof text === 'string' || 'role' in text ? [text] : text.flatMap(partsOf);
}

/** Changes the characters of each part. */
export function mapText(text: Styled, change: (text: string) => string): Styled {
  if (typeof text === 'string') return change(text);
  return 'role' in text
    ? { role: text.role, text: change(text.text) }
    : text.map((part) => mapText(part, change));
}

/** Puts a separator between texts. */
export function joined(texts: readonly Styled[], separator: string): Styled {
  return texts.flatMap((text, index) => (index === 0 ? [text] : [separator, text]));
}

/** Formats lines, each with its line break. */
export function linesText(lines: readonly Styled[]): Styled {
  return lines.every((line) => typeof line === 'string')
    ? lines.map((line) => `${line}\n`).join('')
    : lines.flatMap((line) => [line, '\n']);
}
