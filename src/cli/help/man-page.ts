import type { CommandSpec, OptionSpec } from '../../command.ts';
import { groupCommands } from './command-groups.ts';
import { EXIT_MEANINGS } from '../exit-status.ts';
import { GLOBAL_OPTIONS } from '../parse/global-options.ts';
import { optionSummary } from './help-text.ts';
import { optionSyntax, usageLine } from '../parse/parse-arguments.ts';

/** Variables that are regi's own, and those of other tools that it heeds. */
const ENVIRONMENT: readonly (readonly [name: string, means: string])[] = [
  ['REGI_DATA', 'the folder of the local store'],
  ['REGI_CONFIG', "the folder of regi's own configuration"],
  ['REGI_REGISTRY, REGI_USERNAME, REGI_PASSWORD', 'a login for one registry; all three'],
  ['REGI_INSECURE_REGISTRIES', 'as --insecure-registry, separated by commas or spaces'],
  [
    'REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG, DOCKER_CONFIG',
    'where logins are read, as docker, podman and skopeo take them',
  ],
  ['HTTPS_PROXY, HTTP_PROXY, NO_PROXY', 'proxies, and hosts that are asked without one'],
  ['SSL_CERT_FILE, SSL_CERT_DIR', 'certificate authorities in place of those of the system'],
  ['CONTAINERS_REGISTRIES_CONF', 'the registries.conf to read'],
  ['NO_COLOR', 'no colours, whatever it is set to'],
];

/** regi(1): all commands on one page, in the macros of man(7). */
export function manPage(commands: readonly CommandSpec[]): string {
  return [
    '.\\" Made of the command definitions: npm run docs',
    '.TH REGI 1 "" "regi" "User Commands"',
    '.SH NAME',
    `regi \\- ${escape('moves container images between registries, layouts and archives, without a container engine')}`,
    '.SH SYNOPSIS',
    '.B regi',
    escape('COMMAND [ARGUMENTS] [FLAGS]'),
    '.SH DESCRIPTION',
    ...paragraphs(DESCRIPTION),
    ...groupCommands(commands).flatMap(({ group, members }) => [
      `.SH ${escape(`COMMANDS: ${group.toUpperCase()}`)}`,
      ...members.flatMap(commandSection),
    ]),
    '.SH FLAGS OF EVERY COMMAND',
    ...GLOBAL_OPTIONS.flatMap(optionEntry),
    '.SH EXIT STATUS',
    ...EXIT_MEANINGS.flatMap(([status, means]) => entry(status, means)),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, means]) => entry(name, means)),
    '.SH SEE ALSO',
    escape('docker(1), podman(1), skopeo(1)'),
    '',
  ].join('\n');
}

const DESCRIPTION =
  'Copies, retags, pulls, pushes and inspects images between registries, OCI image layouts and archives, and serves them. Every byte is hashed on the way, a blob ' +
  'that is there already is not sent again, and the tag moves last. No daemon and no root are needed.\n\n' +
  'An image is named as docker names it: debian is docker.io/library/debian:latest. oci:DIR[:TAG] is an OCI image layout folder, archive:FILE an image file of any ' +
  'kind, dir:DIR a folder of skopeo, and local:REF an image of the local store.\n\n' +
  'The answer is on standard output, and everything else on standard error. With --json both are JSON, one object a line.';

function commandSection(spec: CommandSpec): readonly string[] {
  const { aliases = [], examples } = spec;
  return [
    `.SS ${escape(usageLine(spec))}`,
    escape(
      `${spec.summary}.${aliases.length === 0 ? '' : ` Also: ${aliases.map((alias) => `regi ${alias}`).join(', ')}.`}`,
    ),
    ...paragraphs(spec.description).flatMap((line, at) => (at === 0 ? ['.PP', line] : [line])),
    ...spec.arguments.flatMap(({ name, summary }) => entry(name, summary)),
    ...spec.options.flatMap(optionEntry),
    ...examples.flatMap(({ command, summary }) => [
      '.PP',
      `${escape(summary)}:`,
      '.PP',
      '.in +4',
      '.nf',
      escape(command),
      '.fi',
      '.in',
    ]),
  ];
}

function optionEntry(option: OptionSpec): readonly string[] {
  return entry(optionSyntax(option), optionSummary(option));
}

function entry(term: string, text: string): readonly string[] {
  return ['.TP', `.B ${escape(term)}`, escape(text)];
}

function paragraphs(text: string): readonly string[] {
  return text
    .split('\n\n')
    .flatMap((paragraph, at) => [...(at === 0 ? [] : ['.PP']), escape(paragraph)]);
}

/** Text as roff prints it unchanged: a backslash begins an escape, "-" is a hyphen that no shell takes, "." and "'" begin a request. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replace(/^[.']/gm, '\\&$&');
}
