import type { CommandSpec } from '../../command.ts';

const NOT_ON_THE_COMMAND_LINE =
  'other users of this machine can read command lines; type: regi login -u USER --password-stdin REGISTRY < FILE';

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
  arguments: [
    {
      name: 'REGISTRY',
      summary:
        'such as registry.example:5000 or https://registry.example; Docker Hub when left out',
      optional: true,
    },
  ],
  options: [
    {
      name: 'username',
      short: 'u',
      value: 'USER',
      summary: 'the user name; asked for on a terminal',
    },
    { name: 'password-stdin', summary: 'read the password or token from standard input' },
    { name: 'keychain-only', summary: 'store in the keychain or a helper, or not at all' },
  ],
  refusedFlags: { '-p': NOT_ON_THE_COMMAND_LINE, '--password': NOT_ON_THE_COMMAND_LINE },
  examples: [
    { command: 'regi login registry.example', summary: 'Type user name and password' },
    {
      command: 'regi login ghcr.io -u octocat --password-stdin < token.txt',
      summary: 'Log in from a script',
    },
  ],
  load: async () => (await import('../credentials/login.ts')).loginCommand,
} as const satisfies CommandSpec;

export const logoutSpec = {
  name: 'logout',
  group: 'Credentials',
  changes: true,
  summary: 'Remove the login for a registry',
  description:
    "Removes the login that regi uses for a registry from where it is kept: a credential helper, docker's config.json, the keychain, or the auth.json of " +
    'podman and skopeo. Names the other places that still have one for it; with --all those are removed too.\n\n' +
    'What is in environment variables stays: only you can unset them.',
  arguments: [
    {
      name: 'REGISTRY',
      summary: 'such as registry.example:5000; Docker Hub when left out',
      optional: true,
    },
  ],
  options: [
    {
      name: 'all',
      short: 'a',
      summary: 'from every place that has one; without REGISTRY, the logins of all registries',
    },
  ],
  examples: [
    { command: 'regi logout registry.example', summary: 'Remove the login that is used' },
    { command: 'regi logout --all', summary: 'Remove every login that is stored on this machine' },
  ],
  load: async () => (await import('../credentials/logout.ts')).logoutCommand,
} as const satisfies CommandSpec;

export const authListSpec = {
  name: 'auth list',
  group: 'Credentials',
  summary: 'List the logins that are stored, and where',
  description:
    'Lists every login that regi would find, the place it is kept in, and which one is used for each registry. Passwords are neither shown nor read.\n\n' +
    'The places, in the order in which they are asked: REGI_REGISTRY with REGI_USERNAME and REGI_PASSWORD, --authfile or REGISTRY_AUTH_FILE, ' +
    "DOCKER_AUTH_CONFIG, docker's config.json and its helpers, the keychain, and the auth.json of podman and skopeo.",
  arguments: [],
  options: [],
  examples: [{ command: 'regi auth list', summary: 'See which login is used for which registry' }],
  load: async () => (await import('../credentials/auth-list.ts')).authListCommand,
} as const satisfies CommandSpec;

export const authGetSpec = {
  name: 'auth get',
  group: 'Credentials',
  summary: 'Print the login for a registry, for another program',
  description:
    "Prints the login that regi uses for a registry in the form of docker's credential helpers, password included: " +
    '{"ServerURL":…,"Username":…,"Secret":…}. Refuses to print it on a terminal.',
  arguments: [{ name: 'REGISTRY', summary: 'such as registry.example:5000' }],
  options: [],
  examples: [
    {
      command:
        'regi auth get registry.example | jq -r .Secret | skopeo login -u ci --password-stdin registry.example',
      summary: 'Hand a login over',
    },
  ],
  load: async () => (await import('../credentials/auth-get.ts')).authGetCommand,
} as const satisfies CommandSpec;
