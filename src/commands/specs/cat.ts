import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const catSpec = {
  name: 'cat',
  group: 'Look',
  summary: 'Print files of an image',
  description:
    'Prints the content of files as a container of the image would see them, one behind the other. Symbolic links lead on inside the image. Nothing is unpacked or kept: ' +
    'the layers are read as they stream by, and that of a large file once more. When such a layer turns out to be other than its digest says, what was ' +
    'printed is not to be used, and the exit status is 7.',
  arguments: [LOCATION_ARGUMENT, { name: 'PATH', summary: 'files of the image', variadic: true }],
  options: [PLATFORM_OPTION],
  examples: [
    { command: 'regi cat debian:12 /etc/os-release', summary: 'Which system it is' },
    { command: 'regi cat registry.example/team/app:1 /app/server > server', summary: 'Take a program out of an image' },
  ],
  load: async () => (await import('../cat.ts')).catCommand,
} as const satisfies CommandSpec;
