import type { CommandSpec } from '../../command.ts';
import { DIGESTFILE_OPTION } from './shared-options.ts';

export const pushSpec = {
  name: 'push',
  group: 'Move',
  aliases: ['image push'],
  changes: true,
  summary: 'Push from the local store, a layout or an archive',
  description:
    'References alone are images of the local store, and each is pushed under its own name. With a layout, an archive or local:REF before them, that image is ' +
    'pushed to every one of them. It goes whole, with all the platforms that are there. A blob goes to each registry once, whatever number of references are there, and ' +
    'what is there already is not sent. When REF ends with "/", every image of the layout or archive goes there under its own name, as `regi import` brings it.\n\nPrints one "registry/repository@sha256:…" line per reference on standard output.',
  arguments: [
    { name: 'IMAGE', summary: 'a reference in the local store, or oci:DIR[:TAG], archive:FILE, local:REF, or a path such as ./dir' },
    { name: 'REF', summary: 'where it goes; behind a reference, another one to push', optional: true, variadic: true },
  ],
  options: [
    { name: 'all-tags', short: 'a', summary: 'every tag of the repository in the local store' },
    { name: 'platform', value: 'P', repeatable: true, summary: 'only this platform: os/arch[/variant]; several make a smaller index' },
    { name: 'referrers', summary: 'push signatures, SBOMs and attestations too' },
    { name: 'no-clobber', short: 'n', summary: 'never move a tag that is there' },
    { name: 'dry-run', summary: 'write nothing; say what would be uploaded, mounted and skipped' },
    { name: 'force', summary: 'walk and repair the image even when the tag matches' },
    { name: 'keep-going', short: 'k', summary: 'go on with the other references when one fails' },
    DIGESTFILE_OPTION,
  ],
  examples: [
    { command: 'regi push registry.example/team/app:1.4', summary: 'Push what was pulled or tagged' },
    { command: 'regi push oci:build registry.example/team/app:1.4', summary: 'Push what a build made' },
    { command: 'regi push ./images.tar registry.example/mirror/', summary: 'Push every image of an archive by its own name' },
    { command: 'regi push ./build registry.example/team/app:1.4 registry.example/team/app:latest', summary: 'Push it under two names' },
  ],
  load: async () => (await import('../push.ts')).pushCommand,
} as const satisfies CommandSpec;
