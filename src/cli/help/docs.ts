import type { CommandSpec, OptionSpec } from '../../command.ts';
import { groupCommands } from './command-groups.ts';
import { EXIT_MEANINGS } from '../exit-status.ts';
import { GLOBAL_OPTIONS } from '../parse/global-options.ts';
import { optionSummary } from './help-text.ts';
import { optionSyntax, usageLine } from '../parse/parse-arguments.ts';

/** A page of `docs/commands/`. */
export interface DocPage {
  /** Such as `tags-list.md`. */
  readonly file: string;
  readonly text: string;
}

/** The manual: a page a command, and a list of them with what all have in common. */
export function docPages(commands: readonly CommandSpec[]): readonly DocPage[] {
  return [
    { file: 'README.md', text: listPage(commands) },
    ...commands.map((spec) => ({ file: pageName(spec), text: commandPage(spec) })),
  ];
}

function listPage(commands: readonly CommandSpec[]): string {
  return page([
    '# Commands',
    ...groupCommands(commands).flatMap(({ group, members }) => [
      `## ${group}`,
      table(
        ['command', 'does'],
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
    fence([usageLine(spec)]),
    aliases.length === 0 ? '' : `Also: ${aliases.map((alias) => `\`regi ${alias}\``).join(', ')}.`,
    spec.description,
    ...(spec.arguments.length === 0 ? [] : ['## Arguments', argumentTable(spec)]),
    ...(spec.options.length === 0 ? [] : ['## Flags', optionTable(spec.options)]),
    'The [flags of every command](README.md#flags-of-every-command) are taken too.',
    ...(spec.examples.length === 0
      ? []
      : [
          '## Examples',
          ...spec.examples.flatMap(({ command, summary }) => [`${summary}:`, fence([command])]),
        ]),
  ]);
}

const EXIT_STATUSES = `## Exit statuses

${table(['status', 'means'], EXIT_MEANINGS)}

An error is a line of what was wrong and a line of what to type. With \`--json\` it is one object on standard error:
\`{"error":{"code":"NOT_FOUND","message":"…","hint":"…"}}\`; warnings are \`{"warning":{"message":"…","hint":"…"}}\`. Codes are the interface, messages are for people.`;

const EVENTS = `## Events

\`--progress json\` tells what happens as JSON lines on standard error: [progress events](../progress-events.md).`;

function argumentTable(spec: CommandSpec): string {
  return table(
    ['argument', 'is'],
    spec.arguments.map(({ name, summary }) => [`\`${name}\``, summary]),
  );
}

function optionTable(options: readonly OptionSpec[]): string {
  return table(
    ['flag', 'does'],
    options.map((option) => [`\`${optionSyntax(option)}\``, optionSummary(option)]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

function fence(lines: readonly string[]): string {
  return ['```sh', ...lines, '```'].join('\n');
}

function pageName({ name }: CommandSpec): string {
  return `${name.replaceAll(' ', '-')}.md`;
}

function page(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}
