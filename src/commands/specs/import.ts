import type { CommandSpec } from '../../command.ts';
import { DIGESTFILE_OPTION } from './shared-options.ts';

export const importSpec = {
  name: 'import',
  group: 'Air gap',
  aliases: ['load', 'image load'],
  changes: true,
  summary: 'Bring every image of an archive into a registry',
  description:
    'Reads an archive of any tool, packed or plain, in one file or several, and pushes each of its images to PREFIX and its repository path without the registry: ' +
    '"docker.io/library/debian:12" becomes "PREFIX/library/debian:12". Without PREFIX and --map it goes into the local store under its own name. Images without a ' +
    'full name are of a repository named after the file.\n\n' +
    'What goes where is checked for all images before anything is written. What an incremental archive leaves out is looked up at its destination, else mounted ' +
    'from the repositories that got it from the earlier archive, else fetched there and pushed; when any of it is missing, all of it is listed and nothing is ' +
    'written.\n\n' +
    'Prints one "registry/repository@sha256:…" line per image on standard output. Ends with exit status 8 when some of several images failed.',
  arguments: [
    { name: 'FILE', summary: 'an archive; - is standard input, archive:FILE:NAME one of its images, a folder an image layout' },
    { name: 'PREFIX', summary: 'HOST[:PORT][/PATH] before each name', optional: true },
  ],
  options: [
    { name: 'map', value: 'OLD=NEW', repeatable: true, summary: 'another name for an image, or with all its tags for a repository' },
    { name: 'base', value: 'REPO', repeatable: true, summary: 'a repository of that registry that has what an incremental archive leaves out' },
    { name: 'platform', value: 'P', repeatable: true, summary: 'only this platform: os/arch[/variant]; several make a smaller index' },
    { name: 'no-clobber', short: 'n', summary: 'never move a tag that is there' },
    { name: 'dry-run', summary: 'write nothing; say where images go and what would be sent, mounted and skipped' },
    { name: 'force', summary: 'walk and repair images even when their tags match' },
    DIGESTFILE_OPTION,
  ],
  refusedFlags: { '-i': 'name the file alone: regi import FILE', '--input': 'name the file alone: regi import FILE' },
  examples: [
    { command: 'regi import images.tar registry.example:5000/mirror', summary: 'Every image of an archive into a registry' },
    { command: 'regi import images.tar', summary: 'Into the local store, as docker load does' },
    { command: 'regi import images.tar --map debian=registry.example/base/debian', summary: 'Every tag of a repository under another name' },
    { command: 'regi import images.tar registry.example:5000 --platform linux/arm64', summary: 'Only what runs on the machines there' },
    { command: 'regi import --dry-run more.tar registry.example:5000/mirror', summary: 'See whether an incremental archive has all it needs' },
  ],
  load: async () => (await import('../import.ts')).importCommand,
} as const satisfies CommandSpec;
