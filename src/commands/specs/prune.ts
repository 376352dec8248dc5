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
  ],
  refusedFlags: {
    '-f': 'prune asks nothing; leave it out',
    '--force': 'prune asks nothing; leave it out',
    '-a': 'images that have a name are removed by `regi rmi`',
    '--all': 'images that have a name are removed by `regi rmi`',
  },
  examples: [
    { command: 'regi prune', summary: 'Free space' },
    { command: 'regi prune --journal --dry-run', summary: 'See what interrupted commands have left' },
  ],
  load: async () => (await import('../prune.ts')).pruneCommand,
} as const satisfies CommandSpec;
