/** A value of the file of `regi sync`, as it is printed. */
export type Written = boolean | number | string | readonly Written[] | WrittenMap;
export interface WrittenMap {
  readonly [key: string]: Written | undefined;
}

/** An entry of `images`, and what another tool says that has no equal here. */
export interface WrittenEntry {
  readonly fields: WrittenMap;
  readonly notes: readonly string[];
  /** The reason why the entry is only a comment. */
  readonly problem?: string | undefined;
}

export interface WrittenFile {
  readonly tool: string;
  readonly notes: readonly string[];
  readonly registries: ReadonlyMap<
    string,
    { readonly fields: WrittenMap; readonly notes: readonly string[] }
  >;
  readonly defaults: WrittenMap;
  readonly entries: readonly WrittenEntry[];
}

/** Prints a file of `regi sync`. What has no equal becomes a comment beside its place. */
export function writeFile({ tool, notes, registries, defaults, entries }: WrittenFile): string {
  const lines = [
    `# Converted from a file of ${tool}. Read it, then try: regi sync --dry-run FILE`,
    ...notes.map((note) => `# ${note}`),
    'version: 1',
  ];
  if (registries.size > 0) lines.push('registries:');
  for (const [name, { fields, notes: own }] of registries) {
    lines.push(...own.map((note) => `  # ${note}`));
    if (Object.keys(fields).length > 0) lines.push(`  ${scalar(name)}: ${flow(fields)}`);
    else lines.push(`  ${scalar(name)}: {}`);
  }
  if (Object.keys(defaults).length > 0) lines.push(`defaults: ${flow(defaults)}`);
  lines.push('images:');
  for (const entry of entries) lines.push(...entryLines(entry));
  return lines.map((line) => `${line}\n`).join('');
}

function entryLines({ fields, notes, problem }: WrittenEntry): readonly string[] {
  const own = Object.entries(fields)
    .filter((field): field is [string, Written] => field[1] !== undefined)
    .map(([key, value], at) => `${at === 0 ? '  - ' : '    '}${key}: ${flow(value)}`);
  const comments = notes.map((note) => `    # ${note}`);
  if (problem === undefined) return [...own, ...comments];
  return [
    `  # Not converted: ${problem}`,
    ...own.map((line) => `  #${line.slice(1)}`),
    ...comments,
  ];
}

function flow(value: Written): string {
  if (typeof value === 'string') return scalar(value);
  if (typeof value !== 'object') return String(value);
  if (isList(value)) return `[${value.map(flow).join(', ')}]`;
  const fields = Object.entries(value).flatMap(([key, field]) =>
    field === undefined ? [] : [`${scalar(key)}: ${flow(field)}`],
  );
  return `{ ${fields.join(', ')} }`;
}

function isList(value: readonly Written[] | WrittenMap): value is readonly Written[] {
  return Array.isArray(value);
}

/** Quotes what YAML could read as anything but this text. */
function scalar(text: string): string {
  const isPlain = /^[A-Za-z_][\w./-]*(?::[\w.-]+)?(?:\/[\w./-]+(?::[\w.-]+)?)?$/.test(text);
  const isWord = /^(?:true|false|null|yes|no|on|off|y|n|~)$/i.test(text);
  return isPlain && !isWord ? text : `'${text.replaceAll("'", "''")}'`;
}
