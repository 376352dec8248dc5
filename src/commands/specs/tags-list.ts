import type { CommandSpec } from '../../command.ts';

export const tagsListSpec = {
  name: 'tags list',
  aliases: ['ls'],
  summary: 'List the tags of a repository',
  description: 'Prints one tag a line, in the order of the registry, each page as it arrives.\n\nThe repository may be in a registry or an OCI layout.',
  arguments: [{ name: 'REPO', summary: 'a repository, such as registry.example/team/app, or oci:DIR' }],
  options: [
    { name: 'match', value: 'PATTERN', repeatable: true, summary: 'only tags that match: a glob, a /regular expression/ or a semver range; ! excludes' },
  ],
  examples: [
    { command: 'regi tags list docker.io/library/debian', summary: 'Every tag of an official image' },
    { command: "regi ls registry.example/app --match '>=2.0.0' | head -5", summary: 'Five releases; only the pages needed for them are read' },
  ],
  load: async () => (await import('../tags-list.ts')).tagsListCommand,
} as const satisfies CommandSpec;
