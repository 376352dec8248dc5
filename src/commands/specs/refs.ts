import type { CommandSpec } from '../../command.ts';
import { argument, flag, SIGNERS } from './shared.ts';

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
    summary: 'List the images that deployment files need',
    description:
      'Searches files for image references: Kubernetes manifests and custom resources, Helm values ' +
      'and Chart.yaml, compose files, Dockerfiles, GitHub and GitLab pipelines, kustomizations and ' +
      'lists of images. Prints one line per reference, with its position and how certain it is:\n\n' +
      '- exact: the file format defines the field as an image\n' +
      '- structured: the names of the keys indicate an image\n' +
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
    summary: 'Pin the images in deployment files to digests',
    description:
      'Resolves each image that the files name, and writes a lock: one line per image with its ' +
      'digest, sorted. `regi copy --from LOCK PREFIX` and `regi export --from LOCK` take exactly these ' +
      'images. The digest is the one that the registry returns for the tag.\n\n' +
      'With --output, no lock is written unless every image was resolved.',
    arguments: [PATHS],
    options: [
      flag('-o, --output FILE', 'write the lock to this file instead of standard output'),
      flag('--sizes', 'also read the manifests, and add sizes and platforms'),
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
    summary: 'Point deployment files at a mirror',
    description:
      'Replaces image names in files and changes nothing else. --to puts each image under PREFIX, as ' +
      '`regi import` does; images already under PREFIX stay. Prints a diff; --in-place writes the ' +
      'files instead. Standard input is rewritten to standard output, so the command can serve as a ' +
      'Helm post-renderer.\n\n' +
      'A reference that cannot be replaced in place, such as folded text or an anchor that is also ' +
      'used elsewhere, is reported and left unchanged; the exit status is then 8. If two images would ' +
      'get the same name, no file is changed.',
    arguments: [PATHS],
    options: [
      flag('--to PREFIX', 'HOST[:PORT][/PATH] for every image'),
      flag('--sync FILE', 'the destinations of a file of regi sync'),
      flag('--map OLD=NEW…', 'rename a repository'),
      flag('--digests', 'also pin each image to its current digest'),
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
    summary: 'Check that images in deployment files exist',
    description:
      'Sends one request for each image that the files name. With --in, it looks for the names that ' +
      '`regi refs rewrite --to` would write. With --platform, it also reads the manifests for that ' +
      'platform. Prints one line per image, and below a missing image ' +
      'the command that copies it.\n\n' +
      'The exit status is 3 if an image is missing, 7 if a tag no longer has the digest that a file ' +
      'pins, and 9 if a policy refuses its signatures. The digest is the one that the registry returns for the tag.',
    arguments: [PATHS],
    options: [
      flag('--in PREFIX', 'look under this PREFIX instead'),
      flag('--sync FILE', 'look at the destinations of a file of regi sync'),
      flag('-p, --platform P', 'also require this platform: os/arch[/variant]'),
      ...SIGNERS,
      GUESSES,
    ],
    examples: {
      'Check a folder before a deployment': 'regi refs check deploy',
      'Check that a mirror has everything': 'regi refs check --in mirror.example/hub deploy',
    },
    load: async () => (await import('../refs/check.ts')).refsCheckCommand,
  },
];
