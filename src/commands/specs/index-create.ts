import type { CommandSpec } from '../../command.ts';

export const indexCreateSpec = {
  name: 'index create',
  group: 'Manage',
  changes: true,
  summary: 'Make one image of several platforms out of several images',
  description:
    'Makes an index that lists the images, each with the platform that its config names, and gives it the name REF. Images of other places are copied to where REF ' +
    'is; of an index everything that it lists is taken. @sha256:… means an image of the repository of REF itself.\n\n' +
    'Two images of one platform are refused, for nobody would ever see the second. Prints "registry/repository@sha256:…" of the index on standard output.',
  arguments: [
    { name: 'REF', summary: 'the name of the index, in a registry or an OCI layout' },
    { name: 'IMAGE', summary: 'an image or index, from anywhere', variadic: true },
  ],
  options: [{ name: 'annotation', value: 'KEY=VALUE', repeatable: true, summary: 'an annotation of the index' }],
  examples: [
    {
      command: 'regi index create registry.example/app:1.4 registry.example/app:1.4-amd64 registry.example/app:1.4-arm64',
      summary: 'One name for the builds of two machines',
    },
    { command: 'regi index create registry.example/app:1.4 oci:./amd64 oci:./arm64', summary: 'The same from layouts' },
  ],
  load: async () => (await import('../index-create.ts')).indexCreateCommand,
} as const satisfies CommandSpec;
