import type { CommandSpec } from '../../command.ts';
import { PLATFORM_OPTION } from './shared-options.ts';

export const diffSpec = {
  name: 'diff',
  group: 'Look',
  summary: 'Show what changed between two images',
  description:
    'Compares two images of the same platform, wherever they are: their configs, layers and files. A line begins with what it is about, and + for what only the second ' +
    'has, - for what only the first has, ~ for what changed, = for a layer that both begin with.\n\n' +
    'Files are compared as a container sees them: type, content, permissions, owner, target of a link; not the time, which every build changes. Layers are read as they ' +
    'stream by, those of both images once; --no-files compares without reading any. The exit status is 0 whether they differ or not.\n\n' +
    '--json has one object a line. "kind" is images, config, layer, file or summary; "change" is added, removed, changed or same; "before" and "after" are the sides.',
  arguments: [
    { name: 'A', summary: 'the image before' },
    { name: 'B', summary: 'the image after' },
  ],
  options: [PLATFORM_OPTION, { name: 'no-files', summary: 'only configs and layers' }],
  examples: [
    { command: 'regi diff debian:12 debian:12-slim', summary: 'What slim leaves out' },
    { command: 'regi diff registry.example/app:1 oci:./build:app | grep ^file', summary: 'Which files a build changes' },
  ],
  load: async () => (await import('../diff.ts')).diffCommand,
} as const satisfies CommandSpec;
