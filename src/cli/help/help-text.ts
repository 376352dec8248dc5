import type { CommandSpec, OptionSpec } from '../../command.ts';
import { groupCommands, TOPICS } from './command-groups.ts';
import { GLOBAL_OPTIONS } from '../parse/global-options.ts';
import { optionSyntax, usageLine } from '../parse/parse-arguments.ts';

const DEFAULT_COLUMNS = 80;
const MIN_COLUMNS = 40;
const MAX_COLUMNS = 120;
/** A left column wider than this gets its text on the next line. */
const MAX_LEFT = 34;
/** In the list of all commands, so that summaries stay on their line in 80 columns. */
const MAX_LISTED_NAME = 26;

type Row = readonly [left: string, right: string];

/** `regi help copy`. */
export function commandHelp(spec: CommandSpec, columns: number | undefined): string {
  const width = clampColumns(columns);
  const aliases = spec.aliases ?? [];
  return sections([
    wrap(spec.summary, width),
    `Usage: ${usageLine(spec)}${aliases.length === 0 ? '' : `\nAlso:  ${aliases.map((alias) => `regi ${alias}`).join(', ')}`}`,
    ...spec.description.split('\n\n').map((paragraph) => wrap(paragraph, width)),
    section(
      'Arguments',
      spec.arguments.map(({ name, summary }) => [name, summary] as const),
      width,
    ),
    section('Flags', spec.options.map(optionRow), width),
    spec.examples.length === 0
      ? ''
      : `Examples:\n${spec.examples.map(({ command, summary }) => `  # ${summary}\n  ${command}`).join('\n')}`,
    section('Flags of every command', GLOBAL_OPTIONS.map(optionRow), width),
  ]);
}

/** `regi help`, and `regi help tags`: the commands that have a name, or another name, which starts with the words of `prefix`. */
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
      'Usage: regi COMMAND [ARGUMENTS] [FLAGS]',
      groupSections(commands, width),
      globalNames(width),
      wrap(hint, width),
    ]);
  const rows = commands.flatMap((spec) => topicRow(spec, prefix));
  return sections([
    `Usage: regi ${prefix} COMMAND [ARGUMENTS] [FLAGS]`,
    section('Commands', rows, width),
    wrap(hint, width),
  ]);
}

const TAGLINE = 'regi moves container images without a container engine';

/** All commands in as few lines as they can be read in: no empty ones, and one of those that share a word and a group. */
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

/** Under all its names of one word, where there is room: those of docker's `image` and of other tools would crowd the list. */
function namesAndArguments(spec: CommandSpec): string {
  const names = [spec.name, ...(spec.aliases ?? []).filter((name) => !name.includes(' '))];
  const all = argumentsOf(spec, names.join(', '));
  return all.length > MAX_LISTED_NAME ? argumentsOf(spec, spec.name) : all;
}

/** Under the name that belongs to the prefix, and the others behind it: `image ls` is `images`. */
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

/** What an option does, with its choices and whether it may be given several times. */
export function optionSummary({ summary, choices, repeatable, value }: OptionSpec): string {
  const notes = [
    choices === undefined ? undefined : choices.join(', '),
    repeatable === true && value !== undefined ? 'repeatable' : undefined,
  ].filter((note) => note !== undefined);
  return notes.length === 0 ? summary : `${summary} (${notes.join('; ')})`;
}

function optionRow(option: OptionSpec): Row {
  // Flags without a letter stand under those with one.
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

function sections(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
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
