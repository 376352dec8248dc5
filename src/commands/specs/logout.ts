import type { CommandSpec } from '../../command.ts';

export const logoutSpec = {
  name: 'logout',
  group: 'Credentials',
  changes: true,
  summary: 'Remove the login for a registry',
  description:
    "Removes the login that regi uses for a registry from where it is kept: a credential helper, docker's config.json, the keychain, or the auth.json of " +
    'podman and skopeo. Names the other places that still have one for it; with --all those are removed too.\n\n' +
    'What is in environment variables stays: only you can unset them.',
  arguments: [{ name: 'REGISTRY', summary: 'such as registry.example:5000; Docker Hub when left out', optional: true }],
  options: [{ name: 'all', short: 'a', summary: 'from every place that has one; without REGISTRY, the logins of all registries' }],
  examples: [
    { command: 'regi logout registry.example', summary: 'Remove the login that is used' },
    { command: 'regi logout --all', summary: 'Remove every login that is stored on this machine' },
  ],
  load: async () => (await import('../logout.ts')).logoutCommand,
} as const satisfies CommandSpec;
