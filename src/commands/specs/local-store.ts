import type { CommandSpec } from '../../command.ts';
import { DRY_RUN } from './shared.ts';

const group = 'Local store';

const REMOVE_NAMED =
  'it would remove every image with a name; if you mean that, type: regi rmi --force $(regi images -q)';

export const LOCAL_STORE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'images',
    group,
    aliases: ['image ls', 'image list'],
    summary: 'List the images in the local store',
    description:
      'Lists the images from `regi pull` and `regi tag`. The local store is an OCI layout in the ' +
      'folder REGI_DATA, else ~/.local/share/regi (macOS: ~/Library/Application Support/regi, ' +
      'Windows: %LOCALAPPDATA%\\regi).\n\n' +
      'The columns are those of docker. IMAGE ID is the digest of the config, or for an index its own ' +
      'digest. SIZE is the compressed size. --quiet prints only the ids, each once.\n\n' +
      'Filters are reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=24h or a ' +
      'date, dangling=true and dangling=false. Templates have the fields Repository, Tag, Digest, ID, ' +
      'CreatedSince, CreatedAt and Size.',
    arguments: [
      { name: 'NAME', summary: 'list only this repository or image; a glob', optional: true },
    ],
    options: [
      { name: 'all', short: 'a', summary: 'accepted for docker; all images are always listed' },
      {
        name: 'digests',
        summary: 'show digests: those in the registry, for an index that of the whole index',
      },
      {
        name: 'filter',
        short: 'f',
        value: 'WHICH',
        repeatable: true,
        summary: 'list only matching images: reference=PATTERN, dangling=true …',
      },
      {
        name: 'format',
        value: 'TEMPLATE',
        summary: 'table, json, or a Go template',
      },
      { name: 'no-trunc', summary: 'show full ids' },
    ],
    examples: [
      { command: 'regi images', summary: 'List all images' },
      {
        command: "regi images --filter 'reference=registry.example/*/app'",
        summary: 'List some images',
      },
      {
        command: "regi images --format '{{.Repository}}:{{.Tag}}'",
        summary: 'Print only the names',
      },
      {
        command: 'regi rmi $(regi images -q --filter dangling=true)',
        summary: 'Remove images without a name',
      },
    ],
    load: async () => (await import('../local-store/images.ts')).imagesCommand,
  },
  {
    name: 'rmi',
    group,
    aliases: ['image rm', 'image remove'],
    changes: true,
    summary: 'Remove images from the local store',
    description:
      'Removes names, and with the last name of an image its content. Content stays that other images ' +
      'share or another regi process is writing. An image id of at least 12 digits means all names of ' +
      'that image.\n\n' +
      'Prints "Untagged:" and "Deleted:" lines as docker does.',
    arguments: [{ name: 'REF', summary: 'an image: a name, digest or image id', variadic: true }],
    options: [
      {
        name: 'force',
        short: 'f',
        summary: 'remove an image id with names in several repositories; ignore missing images',
      },
    ],
    refusedFlags: {
      '--no-prune':
        'content without a name is always removed; to keep it, add another name first: regi tag REF NEW',
    },
    examples: [
      { command: 'regi rmi nginx:1.27', summary: 'Remove a name' },
      { command: 'regi rmi 0123456789ab', summary: 'Remove an image by its id' },
    ],
    load: async () => (await import('../local-store/rmi.ts')).rmiCommand,
  },
  {
    name: 'prune',
    group,
    aliases: ['image prune'],
    changes: true,
    summary: 'Remove unused data from the local store',
    description:
      'Removes images without a name, and complete blobs left by interrupted pulls. Other regi ' +
      'processes may use the store meanwhile: what they are writing stays. Unnamed content from other ' +
      'programs stays for ten minutes.\n\n' +
      '--journal instead discards what interrupted commands have kept in order to resume: partial ' +
      'blobs, FILE.part of archives, and uploads.\n\n' +
      'Prints what was deleted and how many bytes were freed.',
    arguments: [],
    options: [
      { name: 'journal', summary: 'discard only what interrupted commands would resume' },
      { ...DRY_RUN, summary: 'delete nothing; show what would be deleted' },
      { name: 'force', short: 'f', summary: 'accepted for docker; regi never asks here' },
    ],
    refusedFlags: {
      '-a': REMOVE_NAMED,
      '--all': REMOVE_NAMED,
      '--filter': 'select images by name: regi rmi $(regi images -q --filter until=24h)',
    },
    examples: [
      { command: 'regi prune', summary: 'Free space' },
      {
        command: 'regi prune --journal --dry-run',
        summary: 'Show what interrupted commands have left',
      },
    ],
    load: async () => (await import('../local-store/prune.ts')).pruneCommand,
  },
];
