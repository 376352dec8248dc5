/** A quoted-string of a header. */
export interface QuotedString {
  /** The content, with escapes undone. */
  readonly value: string;
  /** Index after the closing quote. */
  readonly end: number;
}

/**
 * Reads the quoted-string at `start`; undefined when there is none, or it is not closed.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4
 */
export function readQuotedString(text: string, start: number): QuotedString | undefined {
  if (text[start] !== '"') return undefined;
  let value = '';
  for (let index = start + 1; index < text.length; index += 1) {
    const character = text[index];
    if (character === '"') return { value, end: index + 1 };
    if (character === '\\') index += 1;
    value += text[index] ?? '';
  }
  return undefined;
}
