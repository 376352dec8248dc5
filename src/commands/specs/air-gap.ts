import type { CommandSpec } from '../../command.ts';
import { DIGESTFILE, DRY_RUN, FORCE, NO_CLOBBER, PLATFORMS, REFERRERS, TAGS } from './shared.ts';

const group = 'Air gap';

const NAME_THE_FILE = 'pass the file as the first argument: regi import FILE';

export const AIR_GAP_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'export',
    group,
    aliases: ['save', 'image save'],
    changes: true,
    summary: 'Save images to one archive',
    description:
      'Writes images to one tar that regi, docker, podman, containerd, skopeo and crane can read: an ' +
      "OCI image layout with all platforms, and docker's manifest.json with one platform. Shared " +
      'layers are stored once, digests stay, and the same images give the same bytes. For a layout or ' +
      'archive without a name, all its images are exported.\n\n' +
      'The file appears when it is complete. After an interruption, the same command resumes.\n\n' +
      '--since omits the layers that an earlier archive contains; `regi import` finds them at the ' +
      'destination. OLD is that archive, or the list that --write-list wrote for it. --split writes ' +
      'FILE.001, FILE.002 and so on, which every command reads as FILE.\n\n' +
      'Prints one "archive:FILE@sha256:…" line per image on standard output.',
    arguments: [
      {
        name: 'REF',
        summary: 'an image, oci:DIR or archive:FILE; with --tags and --all-tags, a repository',
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
        summary: 'also read images from a file, "REF [NAME]" per line; - is standard input',
      },
      { name: 'all-tags', short: 'a', summary: 'export every tag of each repository' },
      TAGS,
      PLATFORMS,
      {
        name: 'docker-platform',
        value: 'P',
        summary: 'the platform that docker load gets (linux/amd64)',
      },
      REFERRERS,
      {
        name: 'since',
        value: 'OLD',
        repeatable: true,
        summary: 'omit the layers in this earlier archive or its list',
      },
      {
        name: 'write-list',
        value: 'FILE',
        summary: 'list the layers that the destination then has, for a later --since',
      },
      {
        name: 'split',
        value: 'SIZE',
        summary: 'split into files of this size, such as 4G for a FAT32 stick',
      },
      { name: 'checksum', summary: 'also write FILE.sha256 for sha256sum -c' },
      { ...DRY_RUN, summary: 'write nothing; show how large the archive would be' },
      DIGESTFILE,
    ],
    examples: [
      {
        command: 'regi export debian:12 registry.example/team/app:1.4 -o images.tar',
        summary: 'Save two images with all their platforms',
      },
      {
        command:
          "regi export --tags '>=1.2' registry.example/team/app -o app.tar --write-list app.json",
        summary: 'Save the releases of a repository, and a list for the next export',
      },
      {
        command: 'regi export --since app.json registry.example/team/app:1.5 -o more.tar',
        summary: 'Save a newer release without the layers already carried over',
      },
      {
        command: 'regi export --from images.txt -o /media/stick/images.tar --split 4G --checksum',
        summary: 'Save a list of images to a stick',
      },
      {
        command: 'regi export local:debian:12 -o - | ssh host regi import -',
        summary: 'Send an image to another machine',
      },
    ],
    load: async () => (await import('../export/export.ts')).exportCommand,
  },
  {
    name: 'import',
    group,
    aliases: ['load', 'image load'],
    changes: true,
    summary: 'Load every image of an archive into a registry',
    description:
      'Reads an archive from any tool, compressed or not, in one file or several. Each image is pushed ' +
      'to PREFIX and its repository path without the registry: "docker.io/library/debian:12" becomes ' +
      '"PREFIX/library/debian:12". Without PREFIX and --map, images go into the local store under ' +
      'their own names. Images without a full name get a repository named after the file.\n\n' +
      'All destinations are checked before anything is written. Layers that an incremental archive ' +
      'omits are found at the destination, mounted from the repositories that received the earlier ' +
      'archive, or downloaded from there and pushed. If any is missing, regi lists all missing layers ' +
      'and writes nothing.\n\n' +
      'Prints one "registry/repository@sha256:…" line per image on standard output. The exit status ' +
      'is 8 if some of several images failed.',
    arguments: [
      {
        name: 'FILE',
        summary:
          'an archive; - is standard input, archive:FILE:NAME one of its images, a folder an OCI layout',
      },
      { name: 'PREFIX', summary: 'HOST[:PORT][/PATH] before each name', optional: true },
    ],
    options: [
      {
        name: 'map',
        value: 'OLD=NEW',
        repeatable: true,
        summary: 'rename an image, or a repository with all its tags',
      },
      {
        name: 'base',
        value: 'REPO',
        repeatable: true,
        summary:
          'a repository of the registry that has the layers omitted from an incremental archive',
      },
      PLATFORMS,
      NO_CLOBBER,
      {
        ...DRY_RUN,
        summary:
          'write nothing; show the destinations and what would be uploaded, mounted and skipped',
      },
      FORCE,
      DIGESTFILE,
    ],
    refusedFlags: { '-i': NAME_THE_FILE, '--input': NAME_THE_FILE },
    examples: [
      {
        command: 'regi import images.tar registry.example:5000/mirror',
        summary: 'Load every image of an archive into a registry',
      },
      {
        command: 'regi import images.tar',
        summary: 'Load them into the local store, as docker load does',
      },
      {
        command: 'regi import images.tar --map debian=registry.example/base/debian',
        summary: 'Rename a repository with all its tags',
      },
      {
        command: 'regi import images.tar registry.example:5000 --platform linux/arm64',
        summary: 'Load only the platform that is used there',
      },
      {
        command: 'regi import --dry-run more.tar registry.example:5000/mirror',
        summary: 'Check that an incremental archive finds all its layers',
      },
    ],
    load: async () => (await import('../import/import.ts')).importCommand,
  },
  {
    name: 'verify',
    group,
    summary: 'Check that images are complete and undamaged',
    description:
      'Reads every manifest, config and layer of an image again and compares size and digest. For a ' +
      'layout or archive without a name, and for "local:" alone (the local store), everything is ' +
      'verified; unused content is then listed as extra.\n\n' +
      'Platforms that an archive lists but does not contain are listed as absent; like extra content, ' +
      'that is no error. Layers that an incremental archive omits are listed as "absent (in base)": it ' +
      'is only complete together with the archives that --base names.\n\n' +
      'Prints one line per location and one per missing, corrupt, absent or extra blob. The exit ' +
      'status is 7 if an image is incomplete or damaged, and 8 if some of several locations could not ' +
      'be read.',
    arguments: [
      {
        name: 'LOC',
        summary:
          'a reference, oci:DIR[:TAG], archive:FILE[:NAME], a path, local:REF, or local: alone',
        variadic: true,
      },
    ],
    options: [
      {
        name: 'deep',
        summary: 'also unpack layers and compare them with the diff_ids in the config',
      },
      {
        name: 'base',
        value: 'FILE',
        repeatable: true,
        summary: 'an earlier archive with the layers that an incremental one omits',
      },
    ],
    examples: [
      {
        command: 'regi verify ./delta.tar --base images.tar',
        summary: 'Check an incremental archive together with the one before it',
      },
      {
        command: 'regi verify /media/stick/images.tar',
        summary: 'Check an archive on a stick',
      },
      {
        command: 'regi verify --deep registry.example/team/app:1.4',
        summary: 'Check an image in a registry, with unpacked layers',
      },
      { command: 'regi verify --json local: | jq .problems', summary: 'Check the local store' },
    ],
    load: async () => (await import('../verify/verify.ts')).verifyCommand,
  },
];
