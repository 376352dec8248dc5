import type { CommandSpec } from '../../command.ts';

export const imagesSpec = {
  name: 'images',
  group: 'Local store',
  aliases: ['image ls', 'image list'],
  summary: 'List the images of the local store',
  description:
    'Lists what `regi pull` and `regi tag` put into the local store: an OCI layout in the folder REGI_DATA, else ~/.local/share/regi ' +
    '(macOS: ~/Library/Application Support/regi, Windows: %LOCALAPPDATA%\\regi).\n\n' +
    'The columns are those of docker. IMAGE ID is the digest of the config, of an index its own; SIZE is what the image takes here, compressed. ' +
    'With --quiet the ids alone, each once.',
  arguments: [{ name: 'NAME', summary: 'only this repository, or this image; a glob', optional: true }],
  options: [
    { name: 'all', short: 'a', summary: 'as docker has it; every image is listed without it too' },
    { name: 'digests', summary: 'show digests too: those of the registry, of an index although one platform of it is here' },
    {
      name: 'filter',
      short: 'f',
      value: 'WHICH',
      repeatable: true,
      summary: 'reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=24h or a date, dangling=true or dangling=false',
    },
    {
      name: 'format',
      value: 'TEMPLATE',
      summary: 'a Go template of Repository, Tag, Digest, ID, CreatedSince, CreatedAt and Size; table or json, as docker has it',
    },
    { name: 'no-trunc', summary: 'show ids in full' },
  ],
  examples: [
    { command: 'regi images', summary: 'List all' },
    { command: "regi images --filter 'reference=registry.example/*/app'", summary: 'List some' },
    { command: "regi images --format '{{.Repository}}:{{.Tag}}'", summary: 'List names alone' },
    { command: 'regi rmi $(regi images -q --filter dangling=true)', summary: 'Remove images that have lost their name' },
  ],
  load: async () => (await import('../images.ts')).imagesCommand,
} as const satisfies CommandSpec;
