import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const filesSpec = {
  name: 'files',
  group: 'Look',
  summary: 'List the files of an image',
  description:
    'Lists what a container of the image would see, sorted by path: the layers are read as they stream by and laid on each other in memory, what later layers remove ' +
    'is gone, and nothing is unpacked or kept. With a path it lists what is below it, at any depth; symbolic links on the way lead on inside the image.\n\n' +
    '-l adds type and permissions, owner, size in bytes and the time in UTC, as tar -tv does. A file with several names is listed under each. Characters that could ' +
    'disturb a terminal are written as escapes.\n\n' +
    '--json has "path", "type" (file, folder, symlink, character, block or fifo), "mode", "uid", "gid", "size", "modified", "link", "device" and "layer".',
  arguments: [LOCATION_ARGUMENT, { name: 'PATH', summary: 'a folder or file of the image; all of it when absent', optional: true }],
  options: [
    PLATFORM_OPTION,
    { name: 'long', short: 'l', summary: 'with permissions, owner, size and time' },
    { name: 'depth', value: 'N', summary: 'no deeper than this: 1 is what is in the folder itself' },
  ],
  examples: [
    { command: 'regi files -l --depth 1 debian:12 /etc', summary: 'Look into a folder' },
    { command: "regi files --json debian:12 | jq -r 'select(.size > 10000000) | .path'", summary: 'Find large files' },
  ],
  load: async () => (await import('../files.ts')).filesCommand,
} as const satisfies CommandSpec;
