import type { CommandSpec } from '../../command.ts';

export const blobGetSpec = {
  name: 'blob get',
  group: 'Raw parts',
  summary: 'Print a blob, or write it to a file',
  description:
    'Prints the bytes of a layer, config or other blob, verified on the way. When they turn out to be others than the digest says, what was printed is not to ' +
    'be used, and the exit status is 7; with -o the file is there only if they were right.',
  arguments: [{ name: 'BLOB', summary: 'REPOSITORY@DIGEST, or oci:DIR@DIGEST' }],
  options: [{ name: 'output', short: 'o', value: 'FILE', summary: 'write to this file' }],
  examples: [
    { command: 'regi blob get registry.example/team/app@sha256:… | tar -tz', summary: 'List the files of a layer' },
    { command: 'regi blob get registry.example/team/app@sha256:… -o layer.tar.gz', summary: 'Save a layer' },
  ],
  load: async () => (await import('../blob-get.ts')).blobGetCommand,
} as const satisfies CommandSpec;
