import type { CommandSpec, OptionSpec } from '../command.ts';
import { GLOBAL_OPTIONS } from './global-options.ts';
import { optionSummary } from './help-text.ts';
import { optionSyntax, usageLine } from './parse-arguments.ts';

/** A page of `docs/commands/`. */
export interface DocPage {
  /** Such as `tags-list.md`. */
  readonly file: string;
  readonly text: string;
}

/** The manual: a page a command, and a list of them with what all have in common. */
export function docPages(commands: readonly CommandSpec[]): readonly DocPage[] {
  return [{ file: 'README.md', text: listPage(commands) }, ...commands.map((spec) => ({ file: pageName(spec), text: commandPage(spec) }))];
}

function listPage(commands: readonly CommandSpec[]): string {
  return page([
    '# Commands',
    table(
      ['command', 'does'],
      commands.map((spec) => [`[\`regi ${spec.name}\`](${pageName(spec)})`, spec.summary]),
    ),
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
    ...(spec.examples.length === 0 ? [] : ['## Examples', ...spec.examples.flatMap(({ command, summary }) => [`${summary}:`, fence([command])])]),
  ]);
}

const EXIT_STATUSES = `## Exit statuses

| status | means |
|---|---|
| 0 | done |
| 1 | failed for another reason, or a fault of regi |
| 2 | the command line, a reference or a configuration file is wrong |
| 3 | not found |
| 4 | not authorised |
| 5 | network, TLS or timeout, or the server failed |
| 6 | rate limited |
| 7 | content does not match its digest or is malformed |
| 8 | some of several failed; each is listed |
| 130, 143 | interrupted by SIGINT, by SIGTERM |

An error is a line of what was wrong and a line of what to type. With \`--json\` it is one object on standard error:
\`{"error":{"code":"NOT_FOUND","message":"…","hint":"…"}}\`; warnings are \`{"warning":{"message":"…","hint":"…"}}\`.`;

const EVENTS = `## Events

\`--progress json\` tells what happens as JSON lines on standard error. Every line has a \`kind\`; \`target\` and \`root\` are
\`{"mediaType","digest","size"}\`, \`image\` is the destination's name with its tag, \`from\` and \`to\` are repositories.

| kind | members | means |
|---|---|---|
| \`resolved\` | \`image\`, \`root\` | what is to be copied is known |
| \`unchanged\` | \`image\`, \`root\` | the tag names it already |
| \`kept\` | \`image\`, \`root\` | the tag names something else, \`root\`, and stays so (\`--no-clobber\`) |
| \`found\` | \`target\`, \`to\` | a blob or manifest that has to be there; its ending follows |
| \`started\` | \`target\`, \`from\`, \`to\` | its bytes begin to move; if they did before, from the beginning again |
| \`progress\` | \`target\`, \`bytes\`, \`to\` | so many bytes more have moved |
| \`copied\`, \`skipped\` | \`target\`, \`to\` | it is there now; it was there already |
| \`mounted\` | \`target\`, \`from\`, \`to\` | the registry took it from another of its repositories |
| \`foreign\` | \`target\`, \`to\` | its content stays at its own URLs |
| \`tagged\` | \`image\`, \`root\` | the image is whole and has its name |
| \`failed\` | \`image\`, \`error\` | one of several failed |
| \`warning\` | \`message\`, \`hint\` | |
| \`summary\` | \`copied\`, \`mounted\`, \`skipped\`, \`foreign\`, \`images\`, \`bytesMoved\`, \`milliseconds\`, \`dryRun\` | the last line of a command that came to its end; the first four are \`{"nodes","bytes"}\` |`;

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
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
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
