import type { CommandSpec, OptionSpec } from '../command.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';
import { optionSyntax, usageLine } from './parse-arguments.ts';

const DEFAULT_COLUMNS = 100;
const MIN_COLUMNS = 40;
const MAX_COLUMNS = 120;
/** A left column wider than this gets its text on the next line. */
const MAX_LEFT = 34;

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
    spec.examples.length === 0 ? '' : `Examples:\n${spec.examples.map(({ command, summary }) => `  # ${summary}\n  ${command}`).join('\n')}`,
    section('Flags of every command', GLOBAL_OPTIONS.map(optionRow), width),
  ]);
}

/** `regi help`, and `regi help tags`: the commands that have a name, or another name, which starts with the words of `prefix`. */
export function overviewHelp(commands: readonly CommandSpec[], prefix: string, columns: number | undefined): string {
  const width = clampColumns(columns);
  return sections([
    prefix === '' ? wrap('regi moves container images between registries, layouts and archives, without a container engine', width) : '',
    `Usage: regi ${prefix === '' ? '' : `${prefix} `}COMMAND [ARGUMENTS] [FLAGS]`,
    section(
      'Commands',
      commands.flatMap((spec) => overviewRow(spec, prefix)),
      width,
    ),
    prefix === '' ? section('Flags of every command', GLOBAL_OPTIONS.map(optionRow), width) : '',
    wrap('`regi help COMMAND` shows the arguments, flags and examples of a command. `regi --version` shows the version.', width),
  ]);
}

/** Under the name that belongs to the prefix, and the others behind it: `image ls` is `images`. */
function overviewRow(spec: CommandSpec, prefix: string): readonly Row[] {
  const names = [spec.name, ...(spec.aliases ?? [])];
  const shown = names.find((name) => prefix === '' || name.startsWith(`${prefix} `));
  if (shown === undefined) return [];
  // The list of all has enough words without those of docker's `image` and of other tools.
  const others = names.filter((name) => name !== shown && (prefix !== '' || !name.includes(' ')));
  const usage = usageLine(spec)
    .replace(`regi ${spec.name}`, shown)
    .replace(/ \[FLAGS\]$/, '');
  return [[usage, others.length === 0 ? spec.summary : `${spec.summary} (also: ${others.join(', ')})`]];
}

/** What an option does, with its choices and whether it may be given several times. */
export function optionSummary({ summary, choices, repeatable, value }: OptionSpec): string {
  const notes = [choices === undefined ? undefined : choices.join(', '), repeatable === true && value !== undefined ? 'repeatable' : undefined].filter(
    (note) => note !== undefined,
  );
  return notes.length === 0 ? summary : `${summary} (${notes.join('; ')})`;
}

function optionRow(option: OptionSpec): Row {
  // Flags without a letter stand under those with one.
  return [`${option.short === undefined ? '    ' : ''}${optionSyntax(option)}`, optionSummary(option)];
}

function section(title: string, rows: readonly Row[], width: number): string {
  if (rows.length === 0) return '';
  const left = Math.min(MAX_LEFT, Math.max(...rows.map(([text]) => text.length)));
  return `${title}:\n${rows.map((row) => formatRow(row, left, width)).join('\n')}`;
}

function formatRow([left, right]: Row, leftWidth: number, width: number): string {
  const indent = ' '.repeat(2 + leftWidth + 2);
  const text = wrap(right, Math.max(width - indent.length, MIN_COLUMNS / 2)).replaceAll('\n', `\n${indent}`);
  return left.length > leftWidth ? `  ${left}\n${indent}${text}` : `  ${left.padEnd(leftWidth)}  ${text}`;
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
