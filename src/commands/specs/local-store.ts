import type { CommandSpec } from '../../command.ts';
import { argument, DRY_RUN, flag } from './shared.ts';

const group = 'Local store';

const REMOVE_NAMED =
  'it would remove every image with a name; if you mean that, type: regi rmi --force $(regi images -q)';

export const LOCAL_STORE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'images',
    group,
    aliases: ['image ls', 'image list', 'system df'],
    summary: 'List the images in the local store',
    description:
      'Lists the images from `regi pull` and `regi tag`. The local store is an OCI layout in the ' +
      'folder REGI_DATA, else ~/.local/share/regi (macOS: ~/Library/Application Support/regi, ' +
      'Windows: %LOCALAPPDATA%\\regi).\n\n' +
      'The columns are those of docker. IMAGE ID is the digest of the config, or for an index its own ' +
      'digest. SIZE is the compressed size. For an archive or a layout, PLATFORMS and the number of ' +
      'REFERRERS, such as signatures and SBOMs, are shown too. --quiet prints only the ids, each once.\n\n' +
      'Filters are reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=24h or a ' +
      'date, dangling=true and dangling=false. Templates have the fields Repository, Tag, Digest, ID, ' +
      'CreatedSince, CreatedAt and Size.',
    arguments: [
      argument(
        '[NAME]',
        'list only this repository or image, a glob; or the images of an archive, of a layout, or of a folder of archives',
      ),
    ],
    options: [
      flag('-a, --all', 'also list artifacts, such as signatures and SBOMs, and what they are'),
      flag('--digests', 'show the digest in the registry; for an index, that of the whole index'),
      flag('-f, --filter FILTER…', 'list only matching images: reference=PATTERN, dangling=true …'),
      flag('--format TEMPLATE', 'table, json, or a Go template'),
      flag('--no-trunc', 'show full ids'),
    ],
    examples: {
      'List all images': 'regi images',
      'List the images of every archive in a folder': 'regi images ./stick',
      'List some images': "regi images --filter 'reference=registry.example/*/app'",
      'Print only the names': "regi images --format '{{.Repository}}:{{.Tag}}'",
      'Remove images without a name': 'regi rmi $(regi images -q --filter dangling=true)',
    },
    load: async () => (await import('../local-store/images.ts')).imagesCommand,
  },
  {
    name: 'rmi',
    group,
    aliases: ['image rm', 'image remove'],
    changes: true,
    summary: 'Remove images from the local store',
    description:
      'Removes names. When an image loses its last name, its content is deleted too, except content ' +
      'that other images share or another regi process is writing. An image id of at least 12 digits ' +
      'means all names of that image.\n\n' +
      'Prints "Untagged:" and "Deleted:" lines as docker does.',
    arguments: [argument('REF…', 'an image: a name, digest or image id')],
    options: [
      flag(
        '-f, --force',
        'remove an image id with names in several repositories; ignore missing images',
      ),
    ],
    refusedFlags: {
      '--no-prune':
        'content without a name is always removed; to keep it, add another name first: regi tag REF NEW',
    },
    examples: {
      'Remove a name': 'regi rmi nginx:1.27',
      'Remove an image by its id': 'regi rmi 0123456789ab',
    },
    load: async () => (await import('../local-store/rmi.ts')).rmiCommand,
  },
  {
    name: 'prune',
    group,
    aliases: ['image prune', 'system prune'],
    changes: true,
    summary: 'Remove unused data from the local store',
    description:
      'Removes images without a name, and complete blobs left by interrupted pulls. Other regi ' +
      'processes may use the store meanwhile: what they are writing stays. Unnamed content from other ' +
      'programs is kept for ten minutes.\n\n' +
      '--journal instead discards what interrupted commands have kept in order to resume: partial ' +
      'blobs, archives (FILE.part) and uploads.\n\n' +
      'Prints what was deleted and how many bytes were freed.',
    arguments: [],
    options: [
      flag('--journal', 'discard only what interrupted commands would resume'),
      { ...DRY_RUN, summary: 'delete nothing; show what would be deleted' },
      flag('-f, --force', 'accepted for compatibility with docker; regi never asks here'),
    ],
    refusedFlags: {
      '-a': REMOVE_NAMED,
      '--all': REMOVE_NAMED,
      '--filter': 'select images by name: regi rmi $(regi images -q --filter until=24h)',
    },
    examples: {
      'Free space': 'regi prune',
      'Show what interrupted commands have left': 'regi prune --journal --dry-run',
    },
    load: async () => (await import('../local-store/prune.ts')).pruneCommand,
  },
];
