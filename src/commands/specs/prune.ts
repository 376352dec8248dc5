import type { CommandSpec } from '../../command.ts';

export const pruneSpec = {
  name: 'prune',
  group: 'Local store',
  aliases: ['image prune'],
  changes: true,
  summary: 'Free what nothing in the local store names',
  description:
    'Removes images that have lost their name, and whole blobs that interrupted pulls have left. Several regi processes may use the store meanwhile: what a running one ' +
    'writes stays. So does, for ten minutes, what another program has written and not named yet.\n\n' +
    'With --journal it leaves the store as it is and forgets what interrupted commands have kept in order to go on: blobs that are not whole, FILE.part of ' +
    'archives, uploads.\n\nPrints what was deleted, and the bytes.',
  arguments: [],
  options: [
    { name: 'journal', summary: 'forget what interrupted commands would go on with, and nothing else' },
    { name: 'dry-run', summary: 'delete nothing; say what would be' },
    { name: 'force', short: 'f', summary: 'as docker has it; nothing is asked without it either' },
  ],
  refusedFlags: {
    '-a': 'it would remove every image that has a name; when that is meant, type: regi rmi --force $(regi images -q)',
    '--all': 'it would remove every image that has a name; when that is meant, type: regi rmi --force $(regi images -q)',
    '--filter': 'choose the images by name: regi rmi $(regi images -q --filter until=24h)',
  },
  examples: [
    { command: 'regi prune', summary: 'Free space' },
    { command: 'regi prune --journal --dry-run', summary: 'See what interrupted commands have left' },
  ],
  load: async () => (await import('../prune.ts')).pruneCommand,
} as const satisfies CommandSpec;
