import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const rootfsSpec = {
  name: 'rootfs',
  group: 'Look',
  summary: 'Write the files of an image as one tar',
  description:
    'Writes the merged file system of an image as a plain tar, as docker export and crane export do: owners, permissions, times, extended attributes, hard links and ' +
    'devices as they are. The layers are read twice, as they stream by, and nothing else is stored. With -o the file is there only if all layers were what their ' +
    'digests say; without it the exit status tells.\n\n' +
    'The tar has no name that leads out of the folder in which it is unpacked. Folders stand at its end, so that those that nobody may write into can be filled before.',
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION, { name: 'output', short: 'o', value: 'FILE', summary: 'write to this file; - is standard output' }],
  examples: [
    { command: 'regi rootfs debian:12 | tar -x -C rootfs', summary: 'Unpack an image into a folder' },
    { command: 'regi rootfs --platform linux/arm64 debian:12 -o debian.tar', summary: 'Keep it as a file' },
  ],
  load: async () => (await import('../rootfs.ts')).rootfsCommand,
} as const satisfies CommandSpec;
