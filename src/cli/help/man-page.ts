import type { CommandSpec, OptionSpec } from '../../command.ts';
import { EXIT_MEANINGS } from '../exit-status.ts';
import { GLOBAL_OPTIONS } from '../parse/global-options.ts';
import { groupCommands, optionSummary } from './help-text.ts';
import { optionSyntax, usageLine } from '../parse/parse-arguments.ts';

/** Environment variables, first regi's own, then those of other tools. */
const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ['REGI_DATA', 'the folder of the local store'],
  ['REGI_CONFIG', "the folder of regi's configuration"],
  ['REGI_REGISTRY, REGI_USERNAME, REGI_PASSWORD', 'a login for one registry; set all three'],
  ['REGI_INSECURE_REGISTRIES', 'like --insecure-registry, separated by commas or spaces'],
  [
    'REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG, DOCKER_CONFIG',
    'where logins are read, as in docker, podman and skopeo',
  ],
  ['HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY', 'proxies, and hosts that bypass them'],
  ['SSL_CERT_FILE, SSL_CERT_DIR', 'certificate authorities instead of those of the system'],
  ['CONTAINERS_REGISTRIES_CONF', 'the registries.conf to read'],
  ['NO_COLOR', 'disables colours if set to any value'],
];

/** Generates regi(1): all commands on one page, with the macros of man(7). */
export function manPage(commands: readonly CommandSpec[]): string {
  return [
    '.\\" Generated from the command definitions: npm run docs',
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
    ...EXIT_MEANINGS.flatMap(([status, meaning]) => entry(status, meaning)),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, meaning]) => entry(name, meaning)),
    '.SH SEE ALSO',
    escape('docker(1), podman(1), skopeo(1)'),
    '',
  ].join('\n');
}

const DESCRIPTION =
  'Copies, retags, pulls, pushes and inspects images between registries, OCI image layouts and ' +
  'archives, and serves them. Every byte is hashed on the way, existing blobs are skipped, and the ' +
  'tag is written last. Needs no daemon and no root.\n\n' +
  'Images are named as in docker: debian is docker.io/library/debian:latest. oci:DIR[:TAG] is an OCI ' +
  'image layout folder, archive:FILE an image archive in any format, dir:DIR a folder that skopeo ' +
  'wrote, and local:REF an image in the local store.\n\n' +
  'The output is on standard output, everything else on standard error. With --json, both are JSON, ' +
  'one object per line.';

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
    ...Object.entries(examples).flatMap(([summary, command]) => [
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
    .flatMap((paragraph, at) => [
      ...(at === 0 ? [] : ['.PP']),
      escape(paragraph).replaceAll('\n', '\n.br\n'),
    ]);
}

/**
 * Escapes text for roff: a backslash begins an escape, "-" is a typographic hyphen, "." and "'"
 * begin a request.
 */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replace(/^[.']/gm, '\\&$&');
}
