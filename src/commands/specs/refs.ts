import type { CommandSpec } from '../../command.ts';
import { argument, flag } from './shared.ts';

const group = 'Air gap';

const PATHS = argument(
  '[PATH…]',
  'files and folders, or - for standard input; default: this folder',
);

const GUESSES = flag('--guesses', 'include references that are guesses');

export const REFS_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'refs find',
    group,
    summary: 'List the images that manifests need',
    description:
      'Searches files for image references: Kubernetes manifests and custom resources, Helm values ' +
      'and Chart.yaml, compose files, Dockerfiles, GitHub and GitLab pipelines, kustomizations and ' +
      'lists. Prints a line per reference with its position and how sure it is:\n\n' +
      '- exact: the format types the place as an image\n' +
      '- structured: keys say that it is an image\n' +
      '- guess: text that reads like an image\n\n' +
      'Variables without a value, and files that were not read, are reported on standard error.',
    arguments: [PATHS],
    options: [flag('--list', 'print each image once and nothing else, for regi copy --from -')],
    examples: {
      'Search this folder': 'regi refs find',
      'Search what helm template rendered': 'regi refs find rendered.yaml',
      'Mirror every image of a folder':
        'regi refs find --list deploy | regi copy --from - registry.example/mirror',
    },
    load: async () => (await import('../refs/find.ts')).refsFindCommand,
  },
  {
    name: 'refs lock',
    group,
    summary: 'Pin the images of manifests to digests',
    description:
      'Resolves each image that the files name, and writes a lock: a sorted line per image with its ' +
      'digest. `regi copy --from LOCK PREFIX` and `regi export --from LOCK` take exactly these ' +
      'images. The digest is the one that the registry states for the tag.\n\n' +
      'A lock is written only if every image was resolved.',
    arguments: [PATHS],
    options: [
      flag('-o, --output FILE', 'write the lock to this file instead of standard output'),
      flag('--sizes', 'read manifests too, and add bytes and platforms'),
      flag('--frozen', 'write nothing; fail with status 7 if the lock of --output would change'),
      GUESSES,
    ],
    examples: {
      'Lock the images of a folder': 'regi refs lock -o images.lock deploy',
      'Copy them to a mirror': 'regi copy --from images.lock registry.example/mirror',
      'See in CI whether a tag moved': 'regi refs lock --frozen -o images.lock deploy',
    },
    changes: true,
    load: async () => (await import('../refs/lock.ts')).refsLockCommand,
  },
  {
    name: 'refs rewrite',
    group,
    summary: 'Point manifests at a mirror',
    description:
      'Replaces the names of images in files, and no other byte. --to places each image under a ' +
      'PREFIX as `regi import PREFIX` does; images that are there already stay. Prints a diff; ' +
      '--in-place writes the files instead. Standard input is printed rewritten, so that the command ' +
      'is a post-renderer of Helm.\n\n' +
      'A reference that bytes alone cannot change, such as folded text or an anchor with another use, ' +
      'is reported and left alone; status 8 then ends the command. Two images with one new name stop ' +
      'it before any file changes.',
    arguments: [PATHS],
    options: [
      flag('--to PREFIX', 'HOST[:PORT][/PATH] for every image'),
      flag('--map OLD=NEW…', 'another repository for this one'),
      flag('--digests', 'also pin each image to its digest of now'),
      flag('--in-place', 'write the files'),
      GUESSES,
    ],
    examples: {
      'Show what would change': 'regi refs rewrite --to mirror.example/hub deploy',
      'Change the files': 'regi refs rewrite --to mirror.example/hub --in-place deploy',
      'Rewrite what a chart renders': 'regi refs rewrite --to mirror.example/hub - < rendered.yaml',
    },
    changes: true,
    load: async () => (await import('../refs/rewrite.ts')).refsRewriteCommand,
  },
  {
    name: 'refs check',
    group,
    summary: 'Check that the images of manifests exist',
    description:
      'Asks the registry for each image that the files name, one request each. With --in, it asks ' +
      'where `regi refs rewrite --to` would point. Prints a line per image, and below a missing one ' +
      'the command that copies it.\n\n' +
      'Status 3: an image is missing. Status 7: a tag has another digest than a file pins. The digest ' +
      'is the one that the registry states for the tag.',
    arguments: [PATHS],
    options: [flag('--in PREFIX', 'look under this PREFIX instead'), GUESSES],
    examples: {
      'Check a folder before a deployment': 'regi refs check deploy',
      'Check that a mirror has everything': 'regi refs check --in mirror.example/hub deploy',
    },
    load: async () => (await import('../refs/check.ts')).refsCheckCommand,
  },
];
