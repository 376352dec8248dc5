import type { CommandSpec } from '../../command.ts';

export const reposListSpec = {
  name: 'repos list',
  group: 'Look',
  aliases: ['catalog', 'repo ls'],
  summary: 'List the repositories of a registry',
  description:
    'Prints one repository a line, without the name of the registry, each page as it arrives. Many registries have no such list, or keep it for administrators.',
  arguments: [{ name: 'REGISTRY', summary: 'HOST[:PORT], and behind a "/" a namespace to list no others' }],
  options: [],
  examples: [
    { command: 'regi repos list registry.example:5000', summary: 'Every repository' },
    { command: 'regi repos list registry.example/team', summary: 'The repositories whose names begin with team/' },
  ],
  load: async () => (await import('../repos-list.ts')).reposListCommand,
} as const satisfies CommandSpec;
