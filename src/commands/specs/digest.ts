import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const digestSpec = {
  name: 'digest',
  group: 'Look',
  summary: 'Print the digest that a name points at',
  description:
    'Prints the digest of an image, which for an image of several platforms is that of its index. Costs one request that registries do not count as a pull.',
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION, { name: 'expect', value: 'DIGEST', summary: 'fail with status 7 when it is another' }],
  examples: [
    { command: 'regi digest debian:12', summary: 'Print the digest to pin' },
    { command: 'regi digest --platform linux/arm64 debian:12', summary: 'Print the digest of one platform' },
  ],
  load: async () => (await import('../digest.ts')).digestCommand,
} as const satisfies CommandSpec;
