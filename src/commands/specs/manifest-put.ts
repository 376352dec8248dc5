import type { CommandSpec } from '../../command.ts';

export const manifestPutSpec = {
  name: 'manifest put',
  group: 'Raw parts',
  changes: true,
  summary: 'Put a manifest into a repository, byte for byte',
  description:
    'Puts a manifest or index from a file, exactly as it is, so that its digest is that of the file; what it names must be there already. With a digest behind the name ' +
    'the manifest gets no tag, and must have that digest. The media type is what the manifest says of itself, else told by its members.\n\n' +
    'Prints "registry/repository@sha256:…" on standard output.',
  arguments: [
    { name: 'REF', summary: 'a reference, oci:DIR[:TAG] or local:REF' },
    { name: 'FILE', summary: 'a file of this machine; - is standard input' },
  ],
  options: [{ name: 'media-type', value: 'TYPE', summary: 'of a manifest that does not say it itself' }],
  examples: [
    { command: 'regi manifest get registry.example/app:1 | regi manifest put registry.example/app:2 -', summary: 'Give an image a second tag' },
    { command: 'regi manifest put registry.example/app:edited manifest.json', summary: 'Put a manifest that was edited' },
  ],
  load: async () => (await import('../manifest-put.ts')).manifestPutCommand,
} as const satisfies CommandSpec;
