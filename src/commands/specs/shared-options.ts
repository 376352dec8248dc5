import type { ArgumentSpec, OptionSpec } from '../../command.ts';

/** Options and arguments that several commands take, so that they read the same everywhere. */
export const PLATFORM_OPTION = {
  name: 'platform',
  value: 'P',
  summary: 'the manifest of this platform: os/arch[/variant]',
} as const satisfies OptionSpec;

export const DIGESTFILE_OPTION = {
  name: 'digestfile',
  value: 'FILE',
  summary: 'write the lines of standard output to this file as well',
} as const satisfies OptionSpec;

export const LOCATION_ARGUMENT = {
  name: 'LOC',
  summary: 'a reference, or oci:DIR[:TAG]',
} as const satisfies ArgumentSpec;
