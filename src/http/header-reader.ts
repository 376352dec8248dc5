/** Reads a header value from left to right, by sticky patterns. */
export class HeaderReader {
  readonly #text: string;
  #index = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** True if the pattern matches here. Consumes nothing. */
  isAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.#index;
    return pattern.test(this.#text);
  }

  /** Consumes the match of a pattern; empty without one. */
  read(pattern: RegExp): string {
    pattern.lastIndex = this.#index;
    const match = pattern.exec(this.#text)?.[0] ?? '';
    this.#index += match.length;
    return match;
  }

  /**
   * Consumes a quoted-string, else the match of `bare`; undefined for a quote that is not closed.
   */
  readValue(bare: RegExp): string | undefined {
    return this.isAt(/"/y) ? this.readQuoted() : this.read(bare);
  }

  /**
   * Consumes a quoted-string and returns its content without escapes; undefined when there is none,
   * or it is not closed.
   *
   * @see https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4
   */
  readQuoted(): string | undefined {
    const quoted = this.read(/"(?:[^"\\]|\\.)*"/sy);
    return quoted === '' ? undefined : quoted.slice(1, -1).replace(/\\(.)/gs, '$1');
  }
}
