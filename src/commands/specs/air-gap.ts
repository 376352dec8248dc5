import type { CommandSpec } from '../../command.ts';
import { DIGESTFILE_OPTION } from './shared-options.ts';

export const exportSpec = {
  name: 'export',
  group: 'Air gap',
  aliases: ['save', 'image save'],
  changes: true,
  summary: 'Write many images into one archive',
  description:
    "Writes images into one tar that regi, docker, podman, containerd, skopeo and crane read: an OCI image layout with all platforms, and docker's manifest.json " +
    'with one of them. What several images share is in it once, digests stay, and the same images give the same bytes. A layout or archive without a name behind ' +
    'it is all its images. The file appears when it is whole; after an interruption the same command goes on with what is there.\n\n' +
    '--since leaves out the layers that an earlier archive carried; `regi import` finds them where that one went. OLD is the archive, or the list of it that ' +
    '--write-list wrote. --split writes FILE.001, FILE.002 and so on, which every command reads as FILE.\n\n' +
    'Prints one "archive:FILE@sha256:…" line per image on standard output.',
  arguments: [
    {
      name: 'REF',
      summary: 'an image, or with --tags and --all-tags a repository; oci:DIR and archive:FILE too',
      optional: true,
      variadic: true,
    },
  ],
  options: [
    {
      name: 'output',
      short: 'o',
      value: 'FILE',
      summary:
        'the archive; - is standard output, docker-archive:FILE the old format of docker save',
    },
    {
      name: 'from',
      value: 'FILE',
      summary: 'images from a file too, "REF [NAME]" a line; - is standard input',
    },
    { name: 'all-tags', short: 'a', summary: 'every tag of each repository' },
    {
      name: 'tags',
      value: 'PATTERN',
      repeatable: true,
      summary: 'tags that match a glob, /regex/ or semver range; ! excludes',
    },
    {
      name: 'platform',
      value: 'P',
      repeatable: true,
      summary: 'only this platform: os/arch[/variant]; several make a smaller index',
    },
    {
      name: 'docker-platform',
      value: 'P',
      summary: 'the platform that docker load gets (linux/amd64)',
    },
    { name: 'referrers', summary: 'signatures, SBOMs and attestations too' },
    {
      name: 'since',
      value: 'OLD',
      repeatable: true,
      summary: 'leave out the layers that this archive, or the list of one, has',
    },
    {
      name: 'write-list',
      value: 'FILE',
      summary: 'list the layers that the other side has then, for a later --since',
    },
    {
      name: 'split',
      value: 'SIZE',
      summary: 'several files of this size, such as 4G for a stick that holds no larger one',
    },
    { name: 'checksum', summary: 'write FILE.sha256 too, for sha256sum -c' },
    { name: 'dry-run', summary: 'write nothing; say how large the archive would be' },
    DIGESTFILE_OPTION,
  ],
  examples: [
    {
      command: 'regi export debian:12 registry.example/team/app:1.4 -o images.tar',
      summary: 'Two images with all their platforms in one file',
    },
    {
      command:
        "regi export --tags '>=1.2' registry.example/team/app -o app.tar --write-list app.json",
      summary: 'The releases of a repository, and a list for the next time',
    },
    {
      command: 'regi export --since app.json registry.example/team/app:1.5 -o more.tar',
      summary: 'A newer release without the layers that went before',
    },
    {
      command: 'regi export --from images.txt -o /media/stick/images.tar --split 4G --checksum',
      summary: 'A list of images onto a stick',
    },
    {
      command: 'regi export local:debian:12 -o - | ssh host regi import -',
      summary: 'Straight to another machine',
    },
  ],
  load: async () => (await import('../export/export.ts')).exportCommand,
} as const satisfies CommandSpec;

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
    {
      name: 'FILE',
      summary:
        'an archive; - is standard input, archive:FILE:NAME one of its images, a folder an image layout',
    },
    { name: 'PREFIX', summary: 'HOST[:PORT][/PATH] before each name', optional: true },
  ],
  options: [
    {
      name: 'map',
      value: 'OLD=NEW',
      repeatable: true,
      summary: 'another name for an image, or with all its tags for a repository',
    },
    {
      name: 'base',
      value: 'REPO',
      repeatable: true,
      summary: 'a repository of that registry that has what an incremental archive leaves out',
    },
    {
      name: 'platform',
      value: 'P',
      repeatable: true,
      summary: 'only this platform: os/arch[/variant]; several make a smaller index',
    },
    { name: 'no-clobber', short: 'n', summary: 'never move a tag that is there' },
    {
      name: 'dry-run',
      summary: 'write nothing; say where images go and what would be sent, mounted and skipped',
    },
    { name: 'force', summary: 'walk and repair images even when their tags match' },
    DIGESTFILE_OPTION,
  ],
  refusedFlags: {
    '-i': 'name the file alone: regi import FILE',
    '--input': 'name the file alone: regi import FILE',
  },
  examples: [
    {
      command: 'regi import images.tar registry.example:5000/mirror',
      summary: 'Every image of an archive into a registry',
    },
    { command: 'regi import images.tar', summary: 'Into the local store, as docker load does' },
    {
      command: 'regi import images.tar --map debian=registry.example/base/debian',
      summary: 'Every tag of a repository under another name',
    },
    {
      command: 'regi import images.tar registry.example:5000 --platform linux/arm64',
      summary: 'Only what runs on the machines there',
    },
    {
      command: 'regi import --dry-run more.tar registry.example:5000/mirror',
      summary: 'See whether an incremental archive has all it needs',
    },
  ],
  load: async () => (await import('../import/import.ts')).importCommand,
} as const satisfies CommandSpec;

export const verifySpec = {
  name: 'verify',
  group: 'Air gap',
  summary: 'Read everything again and check it',
  description:
    'Reads every manifest, config and layer that an image leads to, and compares size and digest. A layout or archive without a name behind it is verified whole, ' +
    'and "local:" alone is the local store; then content that nothing names is shown as extra, which is no fault. Platforms that an archive lists and does not ' +
    'carry are shown as absent, and are none either. Layers that an incremental archive leaves out are shown as "absent (in base)"; it is whole together with ' +
    'the archives that --base names.\n\nPrints a line for each place and one for each node that is missing, corrupt, absent or extra. Ends with ' +
    'exit status 7 when anything is missing or corrupt, and with 8 when some of several places could not be read.',
  arguments: [
    {
      name: 'LOC',
      summary: 'a reference, oci:DIR[:TAG], archive:FILE[:TAG], a path, local:REF, or local: alone',
      variadic: true,
    },
  ],
  options: [
    {
      name: 'deep',
      summary: 'unpack layers too, and compare them with the diff_ids of the config',
    },
    {
      name: 'base',
      value: 'FILE',
      repeatable: true,
      summary: 'an earlier archive, which has what an incremental one leaves out',
    },
  ],
  examples: [
    {
      command: 'regi verify ./delta.tar --base images.tar',
      summary: 'Check an incremental archive together with the one before it',
    },
    { command: 'regi verify /media/stick/images.tar', summary: 'Check what a stick carries' },
    {
      command: 'regi verify --deep registry.example/team/app:1.4',
      summary: 'Check an image in a registry, layers unpacked',
    },
    { command: 'regi verify --json local: | jq .problems', summary: 'Check the local store' },
  ],
  load: async () => (await import('../verify/verify.ts')).verifyCommand,
} as const satisfies CommandSpec;
