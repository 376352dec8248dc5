import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const configSpec = {
  name: 'config',
  group: 'Raw parts',
  summary: 'Print the config of an image, byte for byte',
  description:
    'Prints the exact bytes of the config, verified and with no newline added. Of an image of several platforms it is that of this machine, with linux for the ' +
    "system where there is none of the machine's own.",
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION],
  examples: [{ command: 'regi config debian:12 | jq .config.Env', summary: 'Print the environment that an image sets' }],
  load: async () => (await import('../config.ts')).configCommand,
} as const satisfies CommandSpec;
