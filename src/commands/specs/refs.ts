import type { CommandSpec } from '../../command.ts';
import { argument, flag } from './shared.ts';

const group = 'Air gap';

const PATHS = argument(
  '[PATH…]',
  'files and folders, or - for standard input; default: this folder',
);

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
];
