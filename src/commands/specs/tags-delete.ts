import type { CommandSpec } from '../../command.ts';

export const tagsDeleteSpec = {
  name: 'tags delete',
  group: 'Manage',
  aliases: ['tags rm', 'tag delete', 'tag rm'],
  changes: true,
  summary: 'Delete tags, and not what they name',
  description:
    'Deletes tags of registries and OCI layouts; the image stays under its digest and its other tags.\n\n' +
    'Many registries delete whole images only. There --via-dummy moves the tag to an empty throw-away manifest and deletes that. It first tries with a manifest ' +
    'that has no tag whether the registry deletes at all, so that the tag is not touched where it does not.',
  arguments: [{ name: 'REF', summary: 'a reference with a tag, or oci:DIR:TAG', variadic: true }],
  options: [{ name: 'via-dummy', summary: 'by way of a throw-away manifest, where the registry deletes no single tags' }],
  examples: [
    { command: 'regi tags delete registry.example/team/app:old', summary: 'Delete one tag' },
    { command: 'regi tags delete --via-dummy registry.example/team/app:old', summary: 'The same where the registry refuses' },
  ],
  load: async () => (await import('../tags-delete.ts')).tagsDeleteCommand,
} as const satisfies CommandSpec;
