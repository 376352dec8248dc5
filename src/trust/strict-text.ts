/** Decodes base64 only if encoding it again gives the same text; undefined otherwise. */
export function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

const MAX_DEPTH = 64;

/**
 * Parses UTF-8 JSON in which no object has a name twice; undefined otherwise. Readers differ in
 * which of two equal names they take, so a verifier must take neither.
 */
export function strictJson(bytes: Uint8Array): { readonly value: unknown } | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return hasRepeatedName(text) ? undefined : { value };
  } catch (error) {
    // TypeError: bytes that are not UTF-8.
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/**
 * Parses the JSON of a protobuf message as `strictJson()` does. A field that is null is absent.
 *
 * @see https://protobuf.dev/programming-guides/json/
 */
export function strictProtobufJson(bytes: Uint8Array): { readonly value: unknown } | undefined {
  const json = strictJson(bytes);
  return json === undefined ? undefined : { value: withoutNulls(json.value) };
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) =>
      inner === null ? [] : [[name, withoutNulls(inner)]],
    ),
  );
}

/** Scans text that `JSON.parse` has taken, so that only strings and brackets matter. */
function hasRepeatedName(text: string): boolean {
  const names: (Set<string> | undefined)[] = [];
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/gs)) {
    if (token === '{') names.push(new Set());
    else if (token === '[') names.push(undefined);
    else if (token === '}' || token === ']') names.pop();
    else if (isName(text, index + token.length)) {
      const name = JSON.parse(token) as string;
      const known = names.at(-1);
      if (known?.has(name) === true) return true;
      known?.add(name);
    }
    if (names.length > MAX_DEPTH) return true;
  }
  return false;
}

function isName(text: string, end: number): boolean {
  let at = end;
  while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
  return text[at] === ':';
}
