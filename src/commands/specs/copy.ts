import type { CommandSpec } from '../../command.ts';
import { DIGESTFILE_OPTION } from './shared-options.ts';

export const copySpec = {
  name: 'copy',
  group: 'Move',
  aliases: ['cp'],
  changes: true,
  summary: 'Copy images from anywhere to anywhere',
  description:
    'Copies an image between registries and OCI layouts, byte for byte: digests never change unless --platform narrows. An index goes whole. ' +
    'What is at the destination already is not sent, a blob that another repository of the same registry has is mounted, and the tag moves last.\n\n' +
    'Prints one "registry/repository@sha256:…" line per image on standard output.',
  arguments: [
    { name: 'SRC', summary: 'a reference, or oci:DIR[:TAG]; with --from it is left out', optional: true },
    { name: 'DST', summary: 'a reference, or oci:DIR[:TAG]; with --from a PREFIX for lines that name no destination', optional: true },
  ],
  options: [
    { name: 'platform', value: 'P', repeatable: true, summary: 'only this platform: os/arch[/variant]; several make a smaller index' },
    { name: 'all-tags', short: 'a', summary: 'every tag of the repository SRC to the repository DST' },
    { name: 'tags', value: 'PATTERN', repeatable: true, summary: 'tags that match a glob, /regex/ or semver range; ! excludes' },
    { name: 'from', value: 'FILE', summary: 'images from a file, "SRC [DST]" a line; - is standard input' },
    { name: 'referrers', summary: 'copy signatures, SBOMs and attestations too' },
    {
      name: 'no-clobber',
      short: 'n',
      summary: 'never move a tag that is there with other content: a single image fails with status 1, of many those are passed over',
    },
    { name: 'dry-run', summary: 'write nothing; say what would be uploaded, mounted and skipped' },
    { name: 'force', summary: 'walk and repair the image even when the tag matches' },
    { name: 'keep-going', short: 'k', summary: 'go on with the other images when one fails' },
    DIGESTFILE_OPTION,
  ],
  examples: [
    { command: 'regi copy debian:12 registry.example/mirror/debian:12', summary: 'Mirror an image with all its platforms' },
    { command: 'regi copy oci:build registry.example/team/app:1.4', summary: 'Push a layout that a build made' },
    { command: "regi copy --tags '>=1.2 <2' registry.example/team/app backup.example/team/app", summary: 'Copy the releases of one major version' },
    { command: 'regi copy --dry-run --all-tags registry.example/team/app backup.example/team/app', summary: 'See how much would move' },
  ],
  load: async () => (await import('../copy.ts')).copyCommand,
} as const satisfies CommandSpec;
