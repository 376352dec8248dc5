/** A text after its variables are replaced. */
export interface Expanded {
  readonly text: string;
  /** Variables that have no value and no default, each once. */
  readonly missing: readonly string[];
  readonly hasVariables: boolean;
}

/**
 * The default of `${NAME:-default}` may hold variables itself; deeper nesting than this stays as it
 * is.
 */
const MAX_NESTING = 4;

/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}`,
 * `${NAME+other}` and `${NAME:?message}`; `$$` is a dollar sign.
 *
 * @see https://docs.docker.com/reference/compose-file/interpolation/
 */
export function expandVariables(
  text: string,
  valueOf: (name: string) => string | undefined,
  depth = 0,
): Expanded {
  const missing: string[] = [];
  let hasVariables = false;
  const replaced = text.replace(
    /\$(?:\$|(?<plain>[A-Za-z_]\w*)|\{(?<name>[A-Za-z_]\w*)(?:(?<operator>:?[-+?])(?<word>(?:[^{}]|\{[^{}]*\})*))?\})/g,
    (match, ...rest: readonly unknown[]) => {
      const groups = rest.at(-1) as Readonly<Record<string, string | undefined>>;
      const name = groups['plain'] ?? groups['name'];
      if (name === undefined) return '$';
      hasVariables = true;
      const operator = groups['operator'] ?? '';
      const word = groups['word'] ?? '';
      const value = valueOf(name);
      const isSet = value !== undefined && !(operator.startsWith(':') && value === '');
      if (operator.endsWith('+')) return isSet ? expandWord(word) : '';
      if (isSet) return value;
      if (operator.endsWith('-')) return expandWord(word);
      if (!missing.includes(name)) missing.push(name);
      return match;
    },
  );
  return { text: replaced, missing, hasVariables };

  function expandWord(word: string): string {
    if (depth >= MAX_NESTING) return word;
    const inner = expandVariables(word, valueOf, depth + 1);
    for (const name of inner.missing) if (!missing.includes(name)) missing.push(name);
    return inner.text;
  }
}

/** Lists the placeholders of templates in a text: `${A}`, `$(a.b)`, `{{ .a }}`, `${{ a }}`. */
export function placeholdersIn(text: string): readonly string[] {
  return [
    ...text.matchAll(
      /\$?\{\{-?\s*(?<braces>.*?)\s*-?\}\}|\$\{(?<name>\w+)[^}]*\}|\$\((?<parameter>[\w.-]+)\)|\$(?<plain>[A-Za-z_]\w*)/g,
    ),
  ].map(({ 0: whole, groups = {} }) => {
    return groups['braces'] ?? groups['name'] ?? groups['parameter'] ?? groups['plain'] ?? whole;
  });
}

/** Parses the lines `NAME=value` of a compose `.env` file. */
export function parseEnvFile(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?(?<name>[A-Za-z_]\w*)\s*=\s*(?<value>.*)$/.exec(line)?.groups;
    if (match === undefined) continue;
    const raw = (match['value'] ?? '').trim();
    const quoted = /^(?<quote>["'])(?<inner>.*?)\k<quote>/.exec(raw)?.groups?.['inner'];
    values.set(match['name'] ?? '', quoted ?? raw.replace(/\s+#.*$/, ''));
  }
  return values;
}
