import type { CommandSpec } from '../../command.ts';

export const imagesSpec = {
  name: 'images',
  group: 'Local store',
  aliases: ['image ls', 'image list'],
  summary: 'List the images of the local store',
  description:
    'Lists what `regi pull` and `regi tag` put into the local store: an OCI layout in the folder REGI_DATA, else ~/.local/share/regi ' +
    '(macOS: ~/Library/Application Support/regi, Windows: %LOCALAPPDATA%\\regi).\n\n' +
    'The columns are those of docker. IMAGE ID is the digest of the config, of an index its own; SIZE is what the image takes here, compressed. ' +
    'With --quiet the ids alone, each once.',
  arguments: [
    { name: 'NAME', summary: 'only this repository, or this image; a glob', optional: true },
  ],
  options: [
    { name: 'all', short: 'a', summary: 'as docker has it; every image is listed without it too' },
    {
      name: 'digests',
      summary:
        'show digests too: those of the registry, of an index although one platform of it is here',
    },
    {
      name: 'filter',
      short: 'f',
      value: 'WHICH',
      repeatable: true,
      summary:
        'reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=24h or a date, dangling=true or dangling=false',
    },
    {
      name: 'format',
      value: 'TEMPLATE',
      summary:
        'a Go template of Repository, Tag, Digest, ID, CreatedSince, CreatedAt and Size; table or json, as docker has it',
    },
    { name: 'no-trunc', summary: 'show ids in full' },
  ],
  examples: [
    { command: 'regi images', summary: 'List all' },
    { command: "regi images --filter 'reference=registry.example/*/app'", summary: 'List some' },
    { command: "regi images --format '{{.Repository}}:{{.Tag}}'", summary: 'List names alone' },
    {
      command: 'regi rmi $(regi images -q --filter dangling=true)',
      summary: 'Remove images that have lost their name',
    },
  ],
  load: async () => (await import('../local-store/images.ts')).imagesCommand,
} as const satisfies CommandSpec;

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
  options: [
    {
      name: 'force',
      short: 'f',
      summary:
        'remove an image id with names in several repositories; what is not there is no failure',
    },
  ],
  refusedFlags: {
    '--no-prune':
      'what a name alone led to goes with it; to keep that, give it another name first: regi tag REF NEW',
  },
  examples: [
    { command: 'regi rmi nginx:1.27', summary: 'Remove one name' },
    { command: 'regi rmi 0123456789ab', summary: 'Remove an image by its id' },
  ],
  load: async () => (await import('../local-store/rmi.ts')).rmiCommand,
} as const satisfies CommandSpec;

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
    {
      name: 'journal',
      summary: 'forget what interrupted commands would go on with, and nothing else',
    },
    { name: 'dry-run', summary: 'delete nothing; say what would be' },
    { name: 'force', short: 'f', summary: 'as docker has it; nothing is asked without it either' },
  ],
  refusedFlags: {
    '-a': 'it would remove every image that has a name; when that is meant, type: regi rmi --force $(regi images -q)',
    '--all':
      'it would remove every image that has a name; when that is meant, type: regi rmi --force $(regi images -q)',
    '--filter': 'choose the images by name: regi rmi $(regi images -q --filter until=24h)',
  },
  examples: [
    { command: 'regi prune', summary: 'Free space' },
    {
      command: 'regi prune --journal --dry-run',
      summary: 'See what interrupted commands have left',
    },
  ],
  load: async () => (await import('../local-store/prune.ts')).pruneCommand,
} as const satisfies CommandSpec;
