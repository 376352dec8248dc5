import type { CommandSpec } from '../../command.ts';

export const tagsListSpec = {
  name: 'tags list',
  group: 'Look',
  aliases: ['ls', 'tags ls', 'tag ls', 'tag list'],
  summary: 'List the tags of a repository',
  description:
    'Prints one tag a line, in the order of the registry, each page as it arrives. The repository may be in a registry or an OCI layout.\n\n' +
    '--sort semver and --sort created put the newest first, so that --limit keeps the newest; what is no version, or says no date, comes last. Sorting needs all ' +
    'pages, and --sort created reads manifest and config of every tag, which some registries count as pulls.\n\n' +
    '--digests adds the digest behind a tab, at the cost of one request a tag.',
  arguments: [{ name: 'REPO', summary: 'a repository, such as registry.example/team/app, or oci:DIR' }],
  options: [
    { name: 'match', value: 'PATTERN', repeatable: true, summary: 'only tags that match: a glob, a /regular expression/ or a semver range; ! excludes' },
    { name: 'sort', value: 'ORDER', choices: ['name', 'semver', 'created'], summary: 'by name, or the newest first' },
    { name: 'limit', value: 'N', summary: 'at most so many' },
    { name: 'digests', summary: 'what each tag names, too' },
  ],
  examples: [
    { command: 'regi tags list docker.io/library/debian', summary: 'Every tag of an official image' },
    { command: "regi ls registry.example/app --match '>=2.0.0' | head -5", summary: 'Five releases; only the pages needed for them are read' },
    { command: 'regi ls registry.example/app --sort semver --limit 1', summary: 'The newest release' },
  ],
  load: async () => (await import('../tags-list.ts')).tagsListCommand,
} as const satisfies CommandSpec;
