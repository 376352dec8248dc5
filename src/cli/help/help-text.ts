import {
  COMMAND_GROUPS,
  type CommandGroup,
  type CommandSpec,
  type OptionSpec,
} from '../../command.ts';
import { joined, styled, type Styled } from '../../styled.ts';
import { GLOBAL_OPTIONS } from '../parse/global-options.ts';
import { optionSyntax, usageLine } from '../parse/parse-arguments.ts';

const DEFAULT_COLUMNS = 80;
const MIN_COLUMNS = 40;
const MAX_COLUMNS = 120;
/** A wider left column puts its text on the next line. */
const MAX_LEFT = 34;
/** Keeps each summary in the list of commands on one line of 80 columns. */
const MAX_LISTED_NAME = 26;

/** Summaries for commands that share their first word and one line of the overview. */
const TOPICS: Readonly<Record<string, string>> = {
  index: 'Create and edit multi-platform indexes',
  manifest: 'Read or write a manifest, byte for byte',
  blob: 'Download or upload a blob',
  auth: 'Show stored logins',
  refs: 'Find, pin and rewrite image names in files',
};

type Row = readonly [left: string, right: string];

/** Returns the text of `regi help copy`. */
export function commandHelp(spec: CommandSpec, columns: number | undefined): string {
  const width = clampColumns(columns);
  const aliases = spec.aliases ?? [];
  return sections([
    wrap(spec.summary, width),
    `${wrap(`Usage: ${usageLine(spec)}`, width)}${aliases.length === 0 ? '' : `\nAlso:  ${aliases.map((alias) => `regi ${alias}`).join(', ')}`}`,
    wrapLines(spec.description, width),
    section(
      'Arguments',
      spec.arguments.map(({ name, summary }) => [name, summary] as const),
      width,
    ),
    section('Flags', spec.options.map(optionRow), width),
    `Examples:\n${Object.entries(spec.examples)
      .map(([summary, command]) => `  # ${summary}\n  ${command}`)
      .join('\n')}`,
    section('Flags of every command', GLOBAL_OPTIONS.map(optionRow), width),
  ]);
}

/**
 * Returns the text of `regi help` or, with a prefix, of `regi help tags`: the commands whose name
 * or alias starts with it.
 */
export function overviewHelp(
  commands: readonly CommandSpec[],
  prefix: string,
  columns: number | undefined,
): string {
  const width = clampColumns(columns);
  const hint = '`regi help COMMAND` shows its arguments, flags and examples.';
  if (prefix === '')
    return sections([
      TAGLINE,
      wrap('Usage: regi COMMAND [ARGUMENTS] [FLAGS]', width),
      groupSections(commands, width),
      globalNames(width),
      wrap(hint, width),
    ]);
  const rows = commands.flatMap((spec) => topicRow(spec, prefix));
  return sections([
    wrap(`Usage: regi ${prefix} COMMAND [ARGUMENTS] [FLAGS]`, width),
    section('Commands', rows, width),
    wrap(hint, width),
  ]);
}

const TAGLINE = 'regi moves container images without a container engine';

/** Lists the commands by group. Empty groups are omitted. */
export function groupCommands(
  commands: readonly CommandSpec[],
): readonly { readonly group: CommandGroup; readonly members: readonly CommandSpec[] }[] {
  return COMMAND_GROUPS.map((group) => ({
    group,
    members: commands.filter((spec) => spec.group === group),
  })).filter(({ members }) => members.length > 0);
}

/**
 * Formats all commands compactly: no empty lines, and one line for commands that share a word and a
 * group.
 */
function groupSections(commands: readonly CommandSpec[], width: number): string {
  const groups = groupCommands(commands).map(({ group, members }) => ({
    group,
    rows: overviewRows(members),
  }));
  const left = leftWidth(groups.flatMap(({ rows }) => rows));
  return groups
    .map(
      ({ group, rows }) => `${group}\n${rows.map((row) => formatRow(row, left, width)).join('\n')}`,
    )
    .join('\n');
}

function overviewRows(members: readonly CommandSpec[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const spec of members) {
    const [topic = '', second] = spec.name.split(' ');
    const summary = second === undefined ? undefined : TOPICS[topic];
    const siblings = members
      .filter(({ name }) => name.startsWith(`${topic} `))
      .map(({ name }) => name.slice(topic.length + 1));
    if (summary === undefined || siblings.length < 2)
      rows.set(spec.name, [namesAndArguments(spec), spec.summary]);
    else rows.set(topic, [`${topic} ${siblings.join('|')}`, summary]);
  }
  return [...rows.values()];
}

/**
 * Adds the one-word aliases if there is room; those with two words (`image pull`) would crowd the
 * list.
 */
function namesAndArguments(spec: CommandSpec): string {
  const names = [spec.name, ...(spec.aliases ?? []).filter((name) => !name.includes(' '))];
  const all = argumentsOf(spec, names.join(', '));
  return all.length > MAX_LISTED_NAME ? argumentsOf(spec, spec.name) : all;
}

/** Shows the name that has the prefix, then the others: `image ls` (also: images). */
function topicRow(spec: CommandSpec, prefix: string): readonly Row[] {
  const names = [spec.name, ...(spec.aliases ?? [])];
  const shown = names.find((name) => name.startsWith(`${prefix} `));
  if (shown === undefined) return [];
  const others = names.filter((name) => name !== shown);
  return [
    [
      argumentsOf(spec, shown),
      others.length === 0 ? spec.summary : `${spec.summary} (also: ${others.join(', ')})`,
    ],
  ];
}

function argumentsOf(spec: CommandSpec, name: string): string {
  return usageLine(spec)
    .replace(`regi ${spec.name}`, name)
    .replace(/ \[FLAGS\]$/, '');
}

function globalNames(width: number): string {
  return wrap(
    `Every command takes ${GLOBAL_OPTIONS.map(({ name }) => `--${name}`).join(', ')}.`,
    width,
  );
}

/** Returns the summary of an option, with its choices and whether it is repeatable. */
export function optionSummary({ summary, choices, repeatable, value }: OptionSpec): string {
  const notes = [
    choices === undefined ? undefined : choices.join(', '),
    repeatable === true && value !== undefined ? 'repeatable' : undefined,
  ].filter((note) => note !== undefined);
  return notes.length === 0 ? summary : `${summary} (${notes.join('; ')})`;
}

function optionRow(option: OptionSpec): Row {
  // Aligns long names, with or without a short one.
  return [
    `${option.short === undefined ? '    ' : ''}${optionSyntax(option)}`,
    optionSummary(option),
  ];
}

function section(title: string, rows: readonly Row[], width: number): string {
  if (rows.length === 0) return '';
  const left = leftWidth(rows);
  return `${title}:\n${rows.map((row) => formatRow(row, left, width)).join('\n')}`;
}

function leftWidth(rows: readonly Row[]): number {
  return Math.min(MAX_LEFT, Math.max(...rows.map(([text]) => text.length)));
}

function formatRow([left, right]: Row, leftWidth: number, width: number): string {
  const indent = ' '.repeat(2 + leftWidth + 2);
  const text = wrap(right, Math.max(width - indent.length, MIN_COLUMNS / 2)).replaceAll(
    '\n',
    `\n${indent}`,
  );
  return left.length > leftWidth
    ? `  ${left}\n${indent}${text}`
    : `  ${left.padEnd(leftWidth)}  ${text}`;
}

/** Marks the headings, the names of the left column and the comments of examples. */
export function styledHelp(text: string): Styled {
  const lines = text.split('\n').map((line): Styled => {
    if (/^\S[^.]*:$/.test(line) || GROUPS.has(line)) return styled('heading', line);
    if (/^ {2}# /.test(line)) return styled('detail', line);
    const [, label = '', rest = ''] = /^(Usage: |Also: {2})(.*)$/.exec(line) ?? [];
    if (label !== '') return [styled('heading', label), rest];
    const [, indent = '', left = '', right = ''] = /^( {2,6})(\S.*?)( {2,}\S.*)$/.exec(line) ?? [];
    return left === '' ? line : [indent, styled('name', left), right];
  });
  return joined(lines, '\n');
}

const GROUPS: ReadonlySet<string> = new Set(COMMAND_GROUPS);

function sections(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

/** Wraps each line of a text separately. */
export function wrapLines(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => wrap(line, width))
    .join('\n');
}

function wrap(text: string, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

function clampColumns(columns: number | undefined): number {
  return Math.min(Math.max(columns ?? DEFAULT_COLUMNS, MIN_COLUMNS), MAX_COLUMNS);
}
