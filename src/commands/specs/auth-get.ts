import type { CommandSpec } from '../../command.ts';

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
    { command: 'regi auth get registry.example | jq -r .Secret | skopeo login -u ci --password-stdin registry.example', summary: 'Hand a login over' },
  ],
  load: async () => (await import('../auth-get.ts')).authGetCommand,
} as const satisfies CommandSpec;
