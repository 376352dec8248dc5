import type { CommandSpec } from '../../command.ts';

export const deleteSpec = {
  name: 'delete',
  group: 'Manage',
  changes: true,
  summary: 'Delete an image, with all its tags',
  description:
    'Deletes a manifest by its digest from a registry or OCI layout. Every tag that names it goes with it: which these are is said before, and on a terminal ' +
    'regi asks. Images that an index lists stay, and so does what refers to the image.\n\n' +
    'Registries free the space of layers when their garbage collector runs. Some delete by ways of their own only, and regi says by which.',
  arguments: [{ name: 'REF', summary: 'REPOSITORY@DIGEST, or oci:DIR@DIGEST', variadic: true }],
  options: [{ name: 'yes', short: 'y', summary: 'do not ask; needed where there is no terminal' }],
  examples: [
    { command: 'regi delete registry.example/team/app@sha256:…', summary: 'See which tags go with an image, and delete it' },
    { command: 'regi delete --yes registry.example/team/app@$(regi digest registry.example/team/app:old)', summary: 'Delete what a tag names, in a script' },
  ],
  load: async () => (await import('../delete.ts')).deleteCommand,
} as const satisfies CommandSpec;
