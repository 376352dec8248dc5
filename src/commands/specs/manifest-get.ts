import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const manifestGetSpec = {
  name: 'manifest get',
  group: 'Raw parts',
  summary: 'Print a manifest, byte for byte',
  description: 'Prints the exact bytes of a manifest or index, verified and with no newline added, so that piping them through sha256sum gives the digest.',
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION],
  examples: [{ command: 'regi manifest get debian:12 | jq .manifests', summary: 'Look at the platforms of an image' }],
  load: async () => (await import('../manifest-get.ts')).manifestGetCommand,
} as const satisfies CommandSpec;
