import type { CommandSpec } from '../../command.ts';

export const tagSpec = {
  name: 'tag',
  group: 'Move',
  aliases: ['image tag'],
  changes: true,
  summary: 'Give an image another name where it is',
  description:
    'Names an image once more where it is. NEW is a bare tag of the same repository, or a reference. In the same registry the image is named in that registry: ' +
    'into another repository blobs are mounted, and what the registry does not mount is streamed. In another registry it is a name of the local store, which must ' +
    'hold REF, and `regi push` takes it there. local: before either name means the local store in any case, and so does an image id of 12 or more digits.\n\n' +
    'Prints one "registry/repository@sha256:…" or "local:registry/repository@sha256:…" line per name on standard output.',
  arguments: [
    { name: 'REF', summary: 'the image' },
    { name: 'NEW', summary: 'a tag, or a reference', variadic: true },
  ],
  options: [{ name: 'mount-only', summary: 'fail rather than send the bytes of a blob that cannot be mounted' }],
  examples: [
    { command: 'regi tag registry.example/team/app:1.4 latest', summary: 'Move a tag of the same repository' },
    { command: 'regi tag registry.example/staging/app:1.4 registry.example/release/app:1.4', summary: 'Promote an image without moving its bytes' },
    { command: 'regi tag nginx:1.27 registry.example/mirror/nginx:1.27', summary: 'Name a pulled image for another registry' },
  ],
  load: async () => (await import('../tag.ts')).tagCommand,
} as const satisfies CommandSpec;
