import type { CommandSpec } from '../../command.ts';
import { LOCATION_ARGUMENT, PLATFORM_OPTION } from './shared-options.ts';

export const referrersSpec = {
  name: 'referrers',
  group: 'Look',
  summary: 'Show what signs and describes an image',
  description:
    'Shows signatures, SBOMs, attestations and whatever else refers to an image, as a tree: to the image itself, to each manifest of its index, and to those in turn. ' +
    'They are found by the referrers API or its tag, by the tags of cosign, and in the index, where buildkit puts its attestations.\n\n' +
    '--json has one object a line: "kind" is image, platform or referrer; of a referrer "artifactType", "digest", "mediaType", "size", "subject", "found" (subject, tag or ' +
    'index), "tag" and "annotations".',
  arguments: [LOCATION_ARGUMENT],
  options: [PLATFORM_OPTION, { name: 'type', value: 'TYPE', summary: 'only artifacts of this type; * stands for any characters' }],
  examples: [
    { command: 'regi referrers registry.example/team/app:1', summary: 'Who has signed it, and what is in it' },
    { command: "regi referrers --json --type '*spdx*' registry.example/team/app:1 | jq -r .digest", summary: 'The digests of its SBOMs' },
  ],
  load: async () => (await import('../referrers.ts')).referrersCommand,
} as const satisfies CommandSpec;
