import type { CommandSpec } from '../../command.ts';

export const searchSpec = {
  name: 'search',
  group: 'Look',
  summary: 'Find repositories by words of their names',
  description:
    'Searches Docker Hub, best matches first: official images, verified publishers and sponsored open-source projects are marked, with stars and pulls. With a registry ' +
    "before the word it asks that: Harbor's own search, which finds public projects; other registries by their catalog, where they have one.",
  arguments: [{ name: 'TERM', summary: 'a word, or REGISTRY/WORD' }],
  options: [
    { name: 'limit', value: 'N', summary: 'at most so many, of 1 to 100 (25)' },
    { name: 'filter', short: 'f', value: 'WHICH', repeatable: true, summary: 'stars=N: at least so many; is-official=true' },
  ],
  examples: [
    { command: 'regi search --filter is-official=true nginx', summary: 'Find official images' },
    { command: 'regi search harbor.example/postgres', summary: 'Search a Harbor' },
  ],
  load: async () => (await import('../search.ts')).searchCommand,
} as const satisfies CommandSpec;
