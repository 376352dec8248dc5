import type { CommandSpec, OptionSpec } from '../../command.ts';
import { EXIT_MEANINGS } from '../exit-status.ts';
import { GLOBAL_OPTIONS } from '../parse/global-options.ts';
import { groupCommands, optionSummary, wrapLines } from './help-text.ts';
import { optionSyntax, usageLine } from '../parse/parse-arguments.ts';

const MARKDOWN_COLUMNS = 120;

/** A page of `docs/commands/`. */
export interface DocPage {
  /** File name such as `tags-list.md`. */
  readonly file: string;
  readonly text: string;
}

/**
 * Generates the manual: one page per command, and a list of all commands with the flags they share.
 */
export function docPages(commands: readonly CommandSpec[]): readonly DocPage[] {
  return [
    { file: 'README.md', text: listPage(commands) },
    ...commands.map((spec) => ({ file: pageName(spec), text: commandPage(spec) })),
  ];
}

/** Lists all commands in one table, for the README. */
export function commandTable(commands: readonly CommandSpec[]): string {
  return table(
    ['', 'command', 'description'],
    groupCommands(commands).flatMap(({ group, members }) =>
      members.map((spec, index) => [
        index === 0 ? `**${group}**` : '',
        `[\`${spec.name}\`](docs/commands/${pageName(spec)})`,
        spec.summary,
      ]),
    ),
  );
}

function listPage(commands: readonly CommandSpec[]): string {
  return page([
    '# Commands',
    ...groupCommands(commands).flatMap(({ group, members }) => [
      `## ${group}`,
      table(
        ['command', 'description'],
        members.map((spec) => [`[\`regi ${spec.name}\`](${pageName(spec)})`, spec.summary]),
      ),
    ]),
    '## Flags of every command',
    optionTable(GLOBAL_OPTIONS),
    EXIT_STATUSES,
    EVENTS,
  ]);
}

function commandPage(spec: CommandSpec): string {
  const aliases = spec.aliases ?? [];
  return page([
    `# regi ${spec.name}`,
    `${spec.summary}.`,
    fence(usageLine(spec)),
    aliases.length === 0 ? '' : `Also: ${aliases.map((alias) => `\`regi ${alias}\``).join(', ')}.`,
    wrapLines(spec.description, MARKDOWN_COLUMNS),
    ...(spec.arguments.length === 0 ? [] : ['## Arguments', argumentTable(spec)]),
    ...(spec.options.length === 0 ? [] : ['## Flags', optionTable(spec.options)]),
    'See also the [flags of every command](README.md#flags-of-every-command).',
    '## Examples',
    ...Object.entries(spec.examples).flatMap(([summary, command]) => [
      `${summary}:`,
      fence(command),
    ]),
  ]);
}

const EXIT_STATUSES = `## Exit statuses

${table(['status', 'meaning'], EXIT_MEANINGS)}

An error is one line with the problem and one line with a hint. With \`--json\` it is one object on standard error:
\`{"error":{"code":"NOT_FOUND","message":"…","hint":"…"}}\`; warnings are
\`{"warning":{"message":"…","hint":"…"}}\`. Scripts can rely on codes; messages may change.`;

const EVENTS = `## Events

\`--progress json\` prints events as JSON lines on standard error: [progress events](../progress-events.md).`;

function argumentTable(spec: CommandSpec): string {
  return table(
    ['argument', 'description'],
    spec.arguments.map(({ name, summary }) => [`\`${name}\``, summary]),
  );
}

function optionTable(options: readonly OptionSpec[]): string {
  return table(
    ['flag', 'description'],
    options.map((option) => [`\`${optionSyntax(option)}\``, optionSummary(option)]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

function fence(command: string): string {
  return `\`\`\`sh\n${command}\n\`\`\``;
}

function pageName({ name }: CommandSpec): string {
  return `${name.replaceAll(' ', '-')}.md`;
}

function page(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}
