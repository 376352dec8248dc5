import type { CommandSpec } from '../../command.ts';

export const rmiSpec = {
  name: 'rmi',
  group: 'Local store',
  aliases: ['image rm', 'image remove'],
  changes: true,
  summary: 'Remove images from the local store',
  description:
    'Removes names, and with the last name of an image its content, but for what other images are made of and what another regi is writing. ' +
    'An image id of 12 or more digits means all names of that image.\n\nPrints "Untagged:" and "Deleted:" lines as docker does.',
  arguments: [{ name: 'REF', summary: 'an image, by name, digest or image id', variadic: true }],
  options: [{ name: 'force', short: 'f', summary: 'remove an image id with names in several repositories; what is not there is no failure' }],
  refusedFlags: { '--no-prune': 'what a name alone led to goes with it; to keep that, give it another name first: regi tag REF NEW' },
  examples: [
    { command: 'regi rmi nginx:1.27', summary: 'Remove one name' },
    { command: 'regi rmi 0123456789ab', summary: 'Remove an image by its id' },
  ],
  load: async () => (await import('../rmi.ts')).rmiCommand,
} as const satisfies CommandSpec;
