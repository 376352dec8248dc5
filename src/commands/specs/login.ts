import type { CommandSpec } from '../../command.ts';

const NOT_ON_THE_COMMAND_LINE = 'other users of this machine can read command lines; type: regi login -u USER --password-stdin REGISTRY < FILE';

export const loginSpec = {
  name: 'login',
  group: 'Credentials',
  changes: true,
  summary: 'Log in to a registry',
  description:
    'Asks for user name and password on a terminal, or takes -u and --password-stdin, tries them at the registry, and stores them when it takes them.\n\n' +
    "They go where your docker configuration says (credHelpers, credsStore), else to the keychain of the system, else to docker's config.json, readable " +
    'by you alone; with --authfile or REGISTRY_AUTH_FILE to that file. regi says where. docker, podman and skopeo read what is in config.json too.\n\n' +
    'An entry that config.json already has in plain is removed when the login goes elsewhere, because it would be read first.',
  arguments: [{ name: 'REGISTRY', summary: 'such as registry.example:5000 or https://registry.example; Docker Hub when left out', optional: true }],
  options: [
    { name: 'username', short: 'u', value: 'USER', summary: 'the user name; asked for on a terminal' },
    { name: 'password-stdin', summary: 'read the password or token from standard input' },
    { name: 'keychain-only', summary: 'store in the keychain or a helper, or not at all' },
  ],
  refusedFlags: { '-p': NOT_ON_THE_COMMAND_LINE, '--password': NOT_ON_THE_COMMAND_LINE },
  examples: [
    { command: 'regi login registry.example', summary: 'Type user name and password' },
    { command: 'regi login ghcr.io -u octocat --password-stdin < token.txt', summary: 'Log in from a script' },
  ],
  load: async () => (await import('../login.ts')).loginCommand,
} as const satisfies CommandSpec;
