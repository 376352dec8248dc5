/** What the text says as JSON; undefined when it is none. The parser's own error is dropped: it quotes the text, which may be a secret. */
export function tryParseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
