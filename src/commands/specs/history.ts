import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const historySpec = {
  name: 'history',
  group: 'Look',
  summary: 'Show how an image was made',
  description:
    'Shows each step of the build from the base up: the compressed size of its layer, drawn as a bar too, and the command. --json has the commands in full.',
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION],
  examples: [{ command: 'regi history debian:12', summary: 'See which step made an image large' }],
  load: async () => (await import('../history.ts')).historyCommand,
} as const satisfies CommandSpec;
