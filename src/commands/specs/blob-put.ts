import type { CommandSpec } from '../../command.ts';

export const blobPutSpec = {
  name: 'blob put',
  group: 'Raw parts',
  changes: true,
  summary: 'Put a file into a repository as a blob',
  description:
    'Puts a layer, config or other blob. A blob that is there already is not sent again. Registries remove blobs that no manifest names: put one soon.\n\n' +
    'Prints "registry/repository@sha256:…" on standard output.',
  arguments: [
    { name: 'REPO', summary: 'a repository, such as registry.example/team/app, or oci:DIR' },
    { name: 'FILE', summary: 'a file of this machine; - is standard input' },
  ],
  options: [],
  examples: [{ command: 'regi blob put registry.example/team/app layer.tar.gz', summary: 'Put a layer' }],
  load: async () => (await import('../blob-put.ts')).blobPutCommand,
} as const satisfies CommandSpec;
