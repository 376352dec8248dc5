/** Yields copies with one field changed or removed, each with the path of the field. */
export function* mutations(
  value: object,
  path: readonly string[] = [],
): Generator<[string, unknown]> {
  for (const [key, inner] of Object.entries(value)) {
    const here = [...path, key];
    const name = here.join('.');
    yield [`${name} removed`, withField(value, key, undefined)];
    if (typeof inner === 'string') {
      for (const other of otherTexts(inner))
        yield [`${name} changed`, withField(value, key, other)];
    } else if (typeof inner === 'object' && inner !== null) {
      for (const [below, copy] of mutations(inner, here))
        yield [below, withField(value, key, copy)];
    }
  }
}

function withField(value: object, key: string, inner: unknown): object {
  if (Array.isArray(value))
    return value.flatMap((item: unknown, at) =>
      String(at) !== key ? [item] : inner === undefined ? [] : [inner],
    );
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, old]) =>
      name !== key ? [[name, old]] : inner === undefined ? [] : [[name, inner]],
    ),
  );
}

/** Another byte at the start, in the middle and at the end; loose base64; another number. */
function otherTexts(text: string): readonly string[] {
  if (/^\d+$/.test(text)) return [String(Number(text) + 1), `0${text}`, `-${text}`];
  const at = [0, Math.floor(text.length / 2), Math.max(0, text.replace(/=+$/, '').length - 1)];
  const flipped = at.map(
    (index) => `${text.slice(0, index)}${text[index] === 'A' ? 'B' : 'A'}${text.slice(index + 1)}`,
  );
  return [...flipped, `${text}!`, `${text}=`, ''];
}
