import type { CommandSpec } from '../../command.ts';

export const indexAddSpec = {
  name: 'index add',
  group: 'Manage',
  changes: true,
  summary: 'Add images to an index',
  description:
    'Adds images to the index that REF names, and moves the tag to the changed index, which has a digest of its own. All else that it says stays as it is. ' +
    'Images come from anywhere, as for `regi index create`.\n\nPrints "registry/repository@sha256:…" of the changed index on standard output.',
  arguments: [
    { name: 'REF', summary: 'the index, in a registry or an OCI layout' },
    { name: 'IMAGE', summary: 'an image or index, from anywhere', variadic: true },
  ],
  options: [{ name: 'replace', summary: 'take the place of images of the same platform' }],
  examples: [
    { command: 'regi index add registry.example/app:1.4 registry.example/app:1.4-s390x', summary: 'One more platform' },
    { command: 'regi index add --replace registry.example/app:1.4 oci:./fixed', summary: 'Another image for a platform' },
  ],
  load: async () => (await import('../index-add.ts')).indexAddCommand,
} as const satisfies CommandSpec;
