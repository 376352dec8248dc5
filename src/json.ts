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

/** Two different texts must not decode to one: a replaced byte could make two JSON names equal. */
const UTF_8 = new TextDecoder('utf-8', { fatal: true });
