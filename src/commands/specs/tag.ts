import type { CommandSpec } from '../../command.ts';

export const tagSpec = {
  name: 'tag',
  changes: true,
  summary: 'Give an image another name in its registry',
  description:
    'Names an image once more where it is. NEW is a bare tag of the same repository, or a reference in the same registry: into another repository blobs are ' +
    'mounted, and what the registry does not mount is streamed.\n\nPrints one "registry/repository@sha256:…" line per name on standard output.',
  arguments: [
    { name: 'REF', summary: 'the image' },
    { name: 'NEW', summary: 'a tag, or a reference in the same registry', variadic: true },
  ],
  options: [{ name: 'mount-only', summary: 'fail rather than send the bytes of a blob that cannot be mounted' }],
  examples: [
    { command: 'regi tag registry.example/team/app:1.4 latest', summary: 'Move a tag of the same repository' },
    { command: 'regi tag registry.example/staging/app:1.4 registry.example/release/app:1.4', summary: 'Promote an image without moving its bytes' },
  ],
  load: async () => (await import('../tag.ts')).tagCommand,
} as const satisfies CommandSpec;
