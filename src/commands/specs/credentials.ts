import type { ArgumentSpec, CommandSpec } from '../../command.ts';
import { argument, flag } from './shared.ts';

const group = 'Credentials';

const REGISTRY: ArgumentSpec = argument('REGISTRY', 'a registry such as registry.example:5000');

const NO_PASSWORD_ARGUMENT =
  'other users of this machine can read command lines; type: regi login -u USER --password-stdin REGISTRY < FILE';

export const CREDENTIALS_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'login',
    group,
    aliases: ['auth login', 'registry login'],
    changes: true,
    summary: 'Log in to a registry',
    description:
      'Asks for user name and password on a terminal, or takes -u and --password-stdin. The login is ' +
      'stored only after the registry has accepted it.\n\n' +
      'It goes where your docker configuration says (credHelpers, credsStore), else into the keychain ' +
      "of the system, else into docker's config.json, readable only by you. --authfile or " +
      'REGISTRY_AUTH_FILE names another file. regi says where the login is stored. docker, podman and ' +
      'skopeo read config.json too.\n\n' +
      'If the login is stored elsewhere, a plain-text entry for the registry in config.json is removed, ' +
      'because it would be read first.',
    arguments: [
      {
        ...REGISTRY,
        summary: 'registry.example:5000 or https://registry.example; default: Docker Hub',
        optional: true,
      },
    ],
    options: [
      flag('-u, --username USER', 'the user name; default: ask on the terminal'),
      flag('--password-stdin', 'read the password or token from standard input'),
      flag('--keychain-only', 'fail if there is no keychain or credential helper'),
    ],
    refusedFlags: { '-p': NO_PASSWORD_ARGUMENT, '--password': NO_PASSWORD_ARGUMENT },
    examples: {
      'Enter user name and password': 'regi login registry.example',
      'Log in from a script': 'regi login ghcr.io -u octocat --password-stdin < token.txt',
    },
    load: async () => (await import('../credentials/login.ts')).loginCommand,
  },
  {
    name: 'logout',
    group,
    aliases: ['auth logout', 'registry logout'],
    changes: true,
    summary: 'Log out of a registry',
    description:
      'Removes the login that regi uses for a registry from where it is stored: a credential ' +
      "helper, docker's config.json, the keychain, or the auth.json of podman and skopeo. regi lists " +
      'other places that still have a login for it; --all removes those too.\n\n' +
      'Logins in environment variables stay: only you can unset them.',
    arguments: [
      { ...REGISTRY, summary: `${REGISTRY.summary}; default: Docker Hub`, optional: true },
    ],
    options: [
      flag(
        '-a, --all',
        'remove it from every place; without REGISTRY, remove the logins of all registries',
      ),
    ],
    examples: {
      'Remove the login for a registry': 'regi logout registry.example',
      'Remove every login stored on this machine': 'regi logout --all',
    },
    load: async () => (await import('../credentials/logout.ts')).logoutCommand,
  },
  {
    name: 'auth list',
    group,
    summary: 'List stored logins',
    description:
      'Lists every login that regi can find, its place, and which one is used for each registry. ' +
      'Passwords are neither shown nor read.\n\n' +
      'Places are searched in this order: REGI_REGISTRY with REGI_USERNAME and REGI_PASSWORD, ' +
      "--authfile or REGISTRY_AUTH_FILE, DOCKER_AUTH_CONFIG, docker's config.json and its helpers, " +
      'the keychain, and the auth.json of podman and skopeo.',
    arguments: [],
    options: [],
    examples: {
      'Show which login is used for which registry': 'regi auth list',
    },
    load: async () => (await import('../credentials/auth.ts')).authListCommand,
  },
  {
    name: 'auth get',
    group,
    summary: 'Print the login for a registry',
    description:
      "Prints the login for a registry in the format of docker's credential helpers, with the " +
      'password: {"ServerURL":…,"Username":…,"Secret":…}. Refuses to print it on a terminal.',
    arguments: [REGISTRY],
    options: [],
    examples: {
      'Pass a login to another program':
        'regi auth get registry.example | jq -r .Secret | skopeo login -u ci --password-stdin registry.example',
    },
    load: async () => (await import('../credentials/auth.ts')).authGetCommand,
  },
];
