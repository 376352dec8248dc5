import type { CommandSpec } from '../../command.ts';

export const indexRemoveSpec = {
  name: 'index remove',
  group: 'Manage',
  aliases: ['index rm'],
  changes: true,
  summary: 'Take images out of an index',
  description:
    'Takes images out of the index that REF names, with the attestations about them, and moves the tag to the changed index, which has a digest of its own. ' +
    'The images themselves stay where they are.\n\nPrints "registry/repository@sha256:…" of the changed index on standard output.',
  arguments: [
    { name: 'REF', summary: 'the index, in a registry or an OCI layout' },
    { name: 'DIGEST', summary: 'what it lists', optional: true, variadic: true },
  ],
  options: [{ name: 'platform', value: 'P', repeatable: true, summary: 'the image of this platform: os/arch[/variant]' }],
  examples: [{ command: 'regi index remove registry.example/app:1.4 --platform linux/386', summary: 'Drop a platform' }],
  load: async () => (await import('../index-remove.ts')).indexRemoveCommand,
} as const satisfies CommandSpec;
