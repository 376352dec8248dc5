import type { CommandSpec } from '../../command.ts';

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
  load: async () => (await import('../auth-list.ts')).authListCommand,
} as const satisfies CommandSpec;
